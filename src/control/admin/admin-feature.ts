/** What the admin listener answers to one request. */
export interface AdminAnswer {
  readonly status: number
  readonly type: string
  readonly body: unknown
  readonly allow?: string
}

/** Answers by the parameters of the query. */
export type AdminHandler = (query: URLSearchParams) => AdminAnswer | Promise<AdminAnswer>

/** The part of the admin API that belongs to one feature: what can be read (GET) and changed (POST), by path. */
export interface AdminFeature {
  readonly read?: Readonly<Record<string, AdminHandler>>
  readonly change?: Readonly<Record<string, AdminHandler>>
}

/** An answer in JSON. */
export function adminJson(status: number, body: unknown): AdminAnswer {
  return { status, type: "application/json", body }
}
