import { z } from "zod"
import { count, field } from "../../base/index.ts"
import { ANSWER, type Exchange, setLocalResponse, type Step, type Verdict } from "../../flow/index.ts"
import { defineAnswer } from "../../plugin/index.ts"

// Header fields of a local reply: what HTTP allows, and nothing that the codec sets itself (RFC 9110 section 5.5).
const headersSchema = z.record(
  z
    .string()
    .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "not a header field name")
    .refine(name => !/^(?:connection|content-length|transfer-encoding|upgrade|date)$/i.test(name), "the proxy sets this field itself"),
  z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, "a field value cannot hold control characters"),
)

const options = z.strictObject({
  status: field(count(200, 599), 200, "Status."),
  body: field(z.string(), "", "Body, sent as UTF-8."),
  headers: field(headersSchema, {}, "Header fields."),
})

/** Answers with a fixed text; made once. */
function respondStep(to: z.output<typeof options>): Step {
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

export default defineAnswer({
  name: "respond",
  summary: "Answers with a fixed text.",
  options,
  build: respondStep,
  says2xx: to => to.status < 300,
  describe: to => `${to.status} with ${to.body === "" ? "no body" : `${Buffer.byteLength(to.body)} octets`}`,
})
