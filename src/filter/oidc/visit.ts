import type { Exchange } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"

/** Longer ones are not come back to. */
const RETURN_CHARS_MAX = 1500

/** What a log-in needs to know of a request, since the request may be over when the provider has answered. */
export interface Visit {
  /** Scheme and authority as the browser knows them. */
  readonly base: string
  /** Path and query that were asked for. */
  readonly returnTo: string
  /** A person looks at the answer: a redirection leads somewhere. */
  readonly interactive: boolean
  readonly cookies: ReadonlyMap<string, string>
  readonly query: URLSearchParams
}

export function visitOf(x: Exchange, cookies: ReadonlyMap<string, string>, publicUrl: string | undefined, secure: boolean): Visit {
  const base = publicUrl === undefined ? `${secure ? "https" : x.scheme}://${x.authority}` : new URL(publicUrl).origin
  const target = x.path + x.query
  return {
    base,
    returnTo: target.startsWith("/") && target.length <= RETURN_CHARS_MAX ? target : "/",
    interactive: isNavigation(x),
    cookies,
    query: new URLSearchParams(x.query),
  }
}

/** Browsers say whether a page is wanted (Fetch Metadata); older ones and others ask for HTML. Scripts and programs want to be told, not led. */
function isNavigation({ method, request }: Exchange): boolean {
  if (method !== "GET" || request.find("x-requested-with") !== undefined) return false
  const mode = request.find("sec-fetch-mode")
  return mode === undefined ? request.joined(NAME.accept).toLowerCase().includes("text/html") : mode === "navigate"
}

/** An absolute URL on our own host: `//evil.example` as a path must not lead there. */
export function locationOf(base: string, target: string): string {
  return (base + target).replace(/[^\x21-\x7e]/g, octet => `%${octet.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase()}`)
}
