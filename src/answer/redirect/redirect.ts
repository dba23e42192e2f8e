import { z } from "zod"
import { FAULT, field } from "../../base/index.ts"
import { ANSWER, type Exchange, FAULT_VERDICT, setLocalResponse, type Step, type Verdict } from "../../flow/index.ts"
import { defineAnswer } from "../../plugin/index.ts"

const options = z.strictObject({
  to: z
    .string()
    .min(1)
    .regex(/^[\x21-\x7e]+$/, "expected a URL or a path, percent-encoded")
    .describe("Location: a URL or a path, in which $scheme, $host, $authority (the host with its port), $path and $query are the request's."),
  status: field(z.union([301, 302, 303, 307, 308].map(status => z.literal(status))), 308, "Status (RFC 9110 section 15.4)."),
})

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
function redirectStep(to: z.output<typeof options>): Step {
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

export default defineAnswer({
  name: "redirect",
  summary: "Answers with a redirection.",
  options,
  build: redirectStep,
  describe: to => `${to.status} to ${to.to}`,
})
