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

/** Answers with a redirection; `$host`, `$path`, `$query` and `$scheme` in the target are filled in. */
export function redirectStep(to: Extract<DestinationConfig, { kind: "redirect" }>): Step {
  return (x: Exchange): Verdict => {
    const location = to.to.replace(/\$(host|path|query|scheme)\b/g, (_, word: string) => {
      return word === "host" ? x.authority : word === "path" ? x.path : word === "query" ? x.query : x.scheme
    })
    setLocalResponse(x, to.status, `Location: ${location}\r\n`, null)
    return ANSWER
  }
}

/** A method that files have no answer for. */
export function refuseFileMethod(x: Exchange): Verdict {
  x.fault = FAULT.methodForbidden
  x.replyFields = "Allow: GET, HEAD\r\n"
  return FAULT_VERDICT
}
