import { z } from "zod"
import { type Clock, systemClock } from "../../../base/index.ts"
import { defineLogFormat, type LogFormatter } from "../../../plugin/index.ts"
import { escapeHex, escapeHexText } from "../escape.ts"
import { compileFacts } from "../facts.ts"
import { compileRedact, redactOption } from "../redact.ts"

const options = z
  .strictObject({
    redact: redactOption.default(true).describe("Hides values of query parameters that look like secrets; a list adds names."),
  })
  .prefault({})

type CombinedOptions = z.infer<typeof options>

/** `client - user [time] "request" status octets "referer" "user agent"`, byte for byte what nginx's `combined` writes. */
export function combinedFormatter(settings: CombinedOptions, clock: Clock = systemClock): LogFormatter {
  const { client, user, timeLocal, request, status, responseBytes, referer, userAgent } = compileFacts(compileRedact(settings.redact), clock)
  return x => {
    const front = `${escapeHex(client.read(x))} - ${escapeHexText(user.read(x))} [${timeLocal.read(x)}] "${escapeHex(request.read(x))}" `
    const code = status.read(x)
    return `${front}${code === 0 ? "000" : code} ${responseBytes.read(x)} "${escapeHex(referer.read(x))}" "${escapeHex(userAgent.read(x))}"\n`
  }
}

export default defineLogFormat({
  name: "combined",
  summary: "The combined format of Apache and nginx.",
  options,
  compile: settings => combinedFormatter(settings),
})
