import { z } from "zod"
import { FAULT, field, maybe, patternTrouble, TextPattern } from "../../base/index.ts"
import { ANSWER, type Exchange, FAULT_VERDICT, setLocalResponse, type Step, type Verdict } from "../../flow/index.ts"
import { defineAnswer } from "../../plugin/index.ts"

const options = z
  .strictObject({
    to: z
      .string()
      .min(1)
      .regex(/^[\x21-\x7e]+$/, "expected a URL or a path, percent-encoded")
      .describe(
        "Location: a URL or a path, in which $scheme, $host, $authority (the host with its port), $path and $query are the request's, and $1 to $9 the groups of `pattern`.",
      ),
    status: field(z.union([301, 302, 303, 307, 308].map(status => z.literal(status))), 308, "Status (RFC 9110 section 15.4)."),
    pattern: maybe(
      z.string().superRefine((source, context) => {
        const trouble = patternTrouble(source)
        if (trouble !== "") context.addIssue({ code: "custom", message: trouble })
      }),
      "RE2 pattern for the path in the form that rules see; a request that it does not match gets 404.",
    ),
  })
  .superRefine(({ to, pattern }, context) => {
    const wanted = [...to.matchAll(/\$([1-9])/g)].map(found => Number(found[1]))
    const groups = pattern === null || patternTrouble(pattern) !== "" ? 0 : new TextPattern(pattern).groupCount
    const beyond = wanted.find(group => group > groups)
    if (beyond !== undefined) context.addIssue({ code: "custom", path: ["to"], message: `$${beyond} is not there: the pattern has ${groups} groups` })
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
 * Answers with a redirection. A target that begins with a slash, or with what the client wrote, stays on this host, also when the client writes `//evil.test`
 * (RFC 3986 section 4.2).
 */
function redirectStep(to: z.output<typeof options>): Step {
  const parts = to.to.split(/\$(scheme|host|authority|path|query|[1-9])\b/)
  const named = parts.some((part, i) => i % 2 === 1 && (part === "host" || part === "authority"))
  const local = /^(?:\/(?!\/)|\$path|\$[1-9])/.test(to.to)
  const pattern = to.pattern === null ? null : new TextPattern(to.pattern)
  return (x: Exchange): Verdict => {
    const groups = pattern === null ? NO_GROUPS : pattern.match(x.rulePath)
    if (groups === null || (named && x.host === "")) {
      x.fault = groups === null ? FAULT.noRoute : FAULT.badHost
      return FAULT_VERDICT
    }
    const location = parts.map((part, i) => (i % 2 === 0 ? part : valueOf(x, part, groups))).join("")
    setLocalResponse(x, to.status, `Location: ${local ? `/${location.replace(/^\/+/, "")}` : location}\r\n`, null)
    return ANSWER
  }
}

const NO_GROUPS: readonly string[] = []

function valueOf(x: Exchange, word: string, groups: readonly string[]): string {
  return word in redirectWords ? redirectWords[word as RedirectWord](x) : (groups[Number(word)] ?? "")
}

export default defineAnswer({
  name: "redirect",
  summary: "Answers with a redirection.",
  options,
  build: redirectStep,
  describe: to => `${to.status} to ${to.to}`,
})
