// HOT
import type { Exchange } from "../flow/index.ts"
import { BODY_NONE, NAME } from "../http/index.ts"
import { compileQuery, compileRest, groupOf, type KeyRest, type QueryRule } from "./key-parts.ts"
import type { CachePolicy } from "./policy.ts"

/** What a route's cache makes of a request before it looks: whether it has a part in it, and under which key. */
export class Question {
  private readonly policy: CachePolicy
  private readonly rest: KeyRest
  private readonly query: QueryRule

  /** `destination` tells apart what different upstreams, or listeners that say different things, answer to the same URL. */
  constructor(policy: CachePolicy, destination: string) {
    this.policy = policy
    this.rest = compileRest(policy.options.key, destination)
    this.query = compileQuery(policy.options.key.query)
  }

  /** Why the cache has no part in a request: "" = it has. */
  whyNot(x: Exchange): string {
    const { request } = x
    if (x.method !== "GET" && x.method !== "HEAD" && x.method !== "QUERY") return "method"
    if ((x.requestBody !== BODY_NONE) !== (x.method === "QUERY")) return "request-body"
    if (x.upgrade !== "") return "upgrade"
    // Conditions that only the origin can judge (RFC 9110 sections 13.1.1 and 13.1.4).
    if (request.has(NAME.ifMatch) || request.has(NAME.ifUnmodifiedSince)) return "condition"
    const { bypass } = this.policy
    return bypass?.(x) ? "rule" : ""
  }

  /** The URL, with the query as the policy sees it. */
  groupOf(x: Exchange): string {
    if (this.query === null || x.query === "") return groupOf(x)
    const { query } = x
    x.query = this.query(query)
    const group = groupOf(x)
    x.query = query
    return group
  }

  /** The same for a URL as text. */
  viewOf(url: string): string {
    const at = url.indexOf("?")
    return this.query === null || at < 0 ? url : url.substring(0, at) + this.query(url.substring(at))
  }

  /** What tells apart the entries of one URL, but for variants. */
  restOf(x: Exchange): string {
    const { told } = this.policy
    const said = told === null ? "" : told(x)
    return said === "" ? this.rest(x) : `${this.rest(x)}\ntold ${said}`
  }
}
