import { z } from "zod"
import { changeRequestBody, changeResponseBody, type Exchange, NEXT, type Verdict } from "../../flow/index.ts"
import { defineFilter } from "../../plugin/index.ts"
import { dropField, fieldText } from "../headers/edit-fields.ts"
import { FromBase64 } from "./base64-body.ts"
import { WebAnswer } from "./web-answer.ts"

const WEB = /^application\/grpc-web(-text)?(\+[a-z0-9.-]{1,32})?[ \t]*(?:;|$)/i
const GRPC = /^application\/grpc(\+[a-z0-9.-]{1,32})?[ \t]*(?:;|$)/i

/** What a call of a gRPC-Web client is answered with. */
interface WebCall {
  readonly text: boolean
  /** "+proto" and the like; "" when the client said none. */
  readonly suffix: string
}

export default defineFilter({
  name: "grpc-web",
  summary: "Turns gRPC-Web, which browsers speak, into gRPC and the answers back.",
  options: z.strictObject({}).prefault({}),
  build(_, deps) {
    const slot = deps.slot()
    return {
      request(x) {
        const call = webCall(x)
        if (call !== null) x.slots[slot] = call
        return NEXT
      },
      response: x => answer(x, x.slots[slot] as WebCall | undefined),
      describe: () => "gRPC-Web to gRPC",
    }
  },
})

/** Makes the request one of gRPC; null when it is none of gRPC-Web. */
function webCall(x: Exchange): WebCall | null {
  if (x.method !== "POST") return null
  const match = WEB.exec(fieldText(x.request, "content-type"))
  if (match === null) return null
  const suffix = (match[2] ?? "").toLowerCase()
  setType(x.request, `application/grpc${suffix}`)
  if (fieldText(x.request, "te") === "") x.request.extra += "TE: trailers\r\nConnection: TE\r\n"
  const textAsked = match[1] !== undefined
  if (textAsked) changeRequestBody(x, new FromBase64())
  return { text: wantsText(fieldText(x.request, "accept"), textAsked), suffix }
}

/** The client may ask for the other form than the one that it sends. */
function wantsText(accept: string, sent: boolean): boolean {
  if (/application\/grpc-web-text/i.test(accept)) return true
  return sent && !/application\/grpc-web(?!-text)/i.test(accept)
}

function answer(x: Exchange, call: WebCall | undefined): Verdict {
  if (call === undefined) return NEXT
  const match = GRPC.exec(fieldText(x.response, "content-type"))
  // Whatever speaks no gRPC there is for the client to make sense of, by its HTTP status.
  if (match === null) return NEXT
  setType(x.response, `application/grpc-web${call.text ? "-text" : ""}${match[1]?.toLowerCase() ?? call.suffix}`)
  dropField(x.response, "trailer")
  // All that there is to say is in the head.
  if (fieldText(x.response, "grpc-status") === "") changeResponseBody(x, new WebAnswer(call.text))
  return NEXT
}

function setType(fields: Exchange["request"], type: string): void {
  dropField(fields, "content-type")
  fields.append("Content-Type", type)
}
