import { FAULT } from "../../base/index.ts"
import { ANSWER, type Exchange, FAULT_VERDICT, setLocalResponse, type Step, type Verdict } from "../../flow/index.ts"
import type { DestinationConfig } from "../schema/route.ts"

/** Answers with a fixed text; made once. */
export function respondStep(to: Extract<DestinationConfig, { kind: "respond" }>): Step {
  const body = Buffer.from(to.body, "utf8")
  const named = Object.keys(to.headers).some(name => name.toLowerCase() === "content-type")
  const type = named || body.length === 0 ? "" : "Content-Type: text/plain; charset=utf-8\r\n"
  const lines =
    type +
    Object.entries(to.headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("")
  return (x: Exchange): Verdict => {
    setLocalResponse(x, to.status, lines, body)
    return ANSWER
  }
}

type RedirectWord = "scheme" | "host" | "authority" | "path" | "query"

const redirectWords: Readonly<Record<RedirectWord, (x: Exchange) => string>> = {
  scheme: x => x.scheme,
  host: x => (x.host.includes(":") ? `[${x.host}]` : x.host),
  authority: x => x.authority,
  path: x => (x.path === "*" ? "/" : x.path),
  query: x => x.query,
}

/**
 * Answers with a redirection; `$scheme`, `$host`, `$authority` (the host with its port), `$path` and `$query` in the target are filled in.
 * A target that begins with the path stays on this host, also when the client writes `//evil.test` (RFC 3986 section 4.2).
 */
export function redirectStep(to: Extract<DestinationConfig, { kind: "redirect" }>): Step {
  const parts = to.to.split(/\$(scheme|host|authority|path|query)\b/)
  const named = parts.some((part, i) => i % 2 === 1 && (part === "host" || part === "authority"))
  const local = to.to.startsWith("$path")
  return (x: Exchange): Verdict => {
    if (named && x.host === "") {
      x.fault = FAULT.badHost
      return FAULT_VERDICT
    }
    const location = parts.map((part, i) => (i % 2 === 0 ? part : redirectWords[part as RedirectWord](x))).join("")
    setLocalResponse(x, to.status, `Location: ${local ? location.replace(/^\/{2,}/, "/") : location}\r\n`, null)
    return ANSWER
  }
}

/** A method that files have no answer for. */
export function refuseFileMethod(x: Exchange): Verdict {
  x.fault = FAULT.methodForbidden
  x.replyFields = "Allow: GET, HEAD\r\n"
  return FAULT_VERDICT
}
