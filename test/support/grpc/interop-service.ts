import type { MethodDefinition } from "@grpc/grpc-js"
import { emptyMessage, payloadMessage, simpleRequest, sizeMessage, streamingRequest } from "./interop-messages.ts"

interface Codec<T> {
  readonly encode: (value: T) => Buffer
  readonly decode: (octets: Buffer) => T
}

/** A method's definition as the library wants it, with codecs of our own. */
export function methodOf<Asked, Answered>(
  path: string,
  asked: Codec<Asked>,
  answered: Codec<Answered>,
  { requestStream = false, responseStream = false } = {},
): MethodDefinition<Asked, Answered> {
  return {
    path,
    requestStream,
    responseStream,
    requestSerialize: asked.encode,
    requestDeserialize: asked.decode,
    responseSerialize: answered.encode,
    responseDeserialize: answered.decode,
  }
}

const service = "/grpc.testing.TestService"

/** The methods of gRPC's interop description that its cases call. */
export const interopMethods = {
  EmptyCall: methodOf(`${service}/EmptyCall`, emptyMessage, emptyMessage),
  UnaryCall: methodOf(`${service}/UnaryCall`, simpleRequest, payloadMessage),
  StreamingInputCall: methodOf(`${service}/StreamingInputCall`, payloadMessage, sizeMessage, { requestStream: true }),
  StreamingOutputCall: methodOf(`${service}/StreamingOutputCall`, streamingRequest, payloadMessage, { responseStream: true }),
  FullDuplexCall: methodOf(`${service}/FullDuplexCall`, streamingRequest, payloadMessage, { requestStream: true, responseStream: true }),
}

/** Methods that nobody implements. */
export const missingMethods = {
  method: methodOf(`${service}/UnimplementedCall`, emptyMessage, emptyMessage),
  service: methodOf("/grpc.testing.UnimplementedService/UnimplementedCall", emptyMessage, emptyMessage),
}
