import { Decoded, encodeMessage } from "./protobuf.ts"

// Messages of gRPC's interop description (grpc.testing), as far as its cases use them. Numbers are those of the fields.

export interface EchoStatus {
  readonly code: number
  readonly message: string
}

export interface InteropRequest {
  /** Octets of each response that is wanted. */
  readonly sizes: readonly number[]
  /** Octets of payload in the request. */
  readonly payload: number
  /** The status to end with. */
  readonly status?: EchoStatus | undefined
}

const payloadOf = (octets: number): Buffer => encodeMessage([2, Buffer.alloc(octets)])
const statusOf = (status: EchoStatus | undefined): Buffer =>
  status === undefined ? Buffer.alloc(0) : encodeMessage([1, status.code], [2, status.message])

function readStatus(message: Decoded): EchoStatus | undefined {
  const code = message.number(1)
  return code === 0 ? undefined : { code, message: message.octets(2).toString() }
}

export const simpleRequest = {
  encode: ({ sizes, payload, status }: InteropRequest): Buffer => encodeMessage([2, sizes[0] ?? 0], [3, payloadOf(payload)], [7, statusOf(status)]),
  decode(octets: Buffer): InteropRequest {
    const message = new Decoded(octets)
    return { sizes: [message.number(2)], payload: message.message(3).octets(2).length, status: readStatus(message.message(7)) }
  },
}

export const streamingRequest = {
  encode: ({ sizes, payload, status }: InteropRequest): Buffer =>
    encodeMessage(...sizes.map((size): [number, Buffer] => [2, encodeMessage([1, size])]), [3, payloadOf(payload)], [7, statusOf(status)]),
  decode(octets: Buffer): InteropRequest {
    const message = new Decoded(octets)
    const sizes = message.messages(2).map(parameters => parameters.number(1))
    return { sizes, payload: message.message(3).octets(2).length, status: readStatus(message.message(7)) }
  },
}

/** A message that says nothing but how many octets its payload has: StreamingInputCallRequest and all responses. */
const withPayload = (field: number) => ({
  encode: (octets: number): Buffer => encodeMessage([field, payloadOf(octets)]),
  decode: (octets: Buffer): number => new Decoded(octets).message(field).octets(2).length,
})

export const payloadMessage = withPayload(1)

export const sizeMessage = {
  encode: (size: number): Buffer => encodeMessage([1, size]),
  decode: (octets: Buffer): number => new Decoded(octets).number(1),
}

/** The message that says nothing. */
export type Empty = Readonly<Record<string, never>>

export const emptyMessage = {
  encode: (_: Empty): Buffer => Buffer.alloc(0),
  decode(octets: Buffer): Empty {
    if (octets.length > 0) throw new RangeError("an empty message has octets")
    return {}
  },
}
