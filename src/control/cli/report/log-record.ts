/** What one line of the access log (format json) says for a report. Words are "" and numbers 0 where the line does not say. */
export interface LogRecord {
  readonly timeMs: number
  readonly client: string
  readonly user: string
  readonly groups: string
  readonly host: string
  readonly method: string
  readonly status: number
  readonly rule: string
  readonly action: string
  readonly category: string
  readonly exit: string
  readonly route: string
  readonly cache: string
  readonly fault: string
  readonly tls: string
  /** Octets from the client, and to it. */
  readonly sent: number
  readonly received: number
  readonly durationMs: number
}

/** Reads a line; null = it is none of the format json. */
export function readLogRecord(line: string): LogRecord | null {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return null
  }
  if (typeof value !== "object" || value === null) return null
  const of = value as Readonly<Record<string, unknown>>
  const word = (name: string): string => (typeof of[name] === "string" ? (of[name] as string) : "")
  const number = (name: string): number => (typeof of[name] === "number" && of[name] >= 0 ? (of[name] as number) : 0)
  if (typeof of["status"] !== "number" || typeof of["responseBytes"] !== "number") return null
  return {
    timeMs: Date.parse(word("time")),
    client: word("client"),
    user: word("user"),
    groups: word("groups"),
    host: word("host"),
    method: word("method"),
    status: number("status"),
    rule: word("rule"),
    action: word("action"),
    category: word("category"),
    exit: word("exit"),
    route: word("route"),
    cache: word("cache"),
    fault: word("fault"),
    tls: word("tls"),
    sent: number("requestBytes"),
    received: number("responseBytes"),
    durationMs: number("durationMs"),
  }
}
