import { Exchange, type Notes, notesOf } from "../flow/index.ts"
import { Fields, rulePath, rulePathResult } from "../http/index.ts"

/** Facts of a request, for tests and benchmarks. What is absent is what a plain GET of / has. */
export interface Facts {
  readonly listener?: string
  readonly host?: string
  /** As the client sent it, without the query. */
  readonly path?: string
  /** With the leading "?". */
  readonly query?: string
  readonly method?: string
  readonly headers?: readonly (readonly [string, string])[]
  readonly client?: string
  readonly port?: number
  readonly scheme?: string
  readonly user?: string
  readonly groups?: readonly string[]
  /** It came inside a tunnel that we opened. */
  readonly inside?: boolean
  /** What the client said in TLS. */
  readonly hello?: Partial<Pick<Notes, "tlsName" | "alpn" | "ja4">>
}

/** An exchange as the codec leaves it. `path` must be one that `rulePath` lets through. */
export function exchangeOf(facts: Facts): Exchange {
  const x = new Exchange()
  x.listener = { name: facts.listener ?? "web", index: 0, secure: false, forward: false }
  x.host = facts.host ?? "a.test"
  const path = facts.path ?? "/"
  x.rulePath = rulePath(path)
  if (rulePathResult.refused) throw new Error(`${path} is refused: ${rulePathResult.reason}`)
  x.path = rulePathResult.forwardPath
  x.encodedSlash = rulePathResult.encodedSlash
  x.query = facts.query ?? ""
  x.method = facts.method ?? "GET"
  x.request = Fields.of(facts.headers ?? [])
  x.clientAddress = facts.client ?? "192.0.2.1"
  x.port = facts.port ?? 80
  x.scheme = facts.scheme ?? "http"
  x.user = facts.user ?? ""
  if (facts.hello !== undefined) Object.assign(notesOf(x), facts.hello)
  if (facts.groups !== undefined) notesOf(x).groups = facts.groups
  if (facts.inside !== undefined) notesOf(x).inside = facts.inside
  return x
}
