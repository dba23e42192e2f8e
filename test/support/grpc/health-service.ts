import { type handleUnaryCall, type ServiceDefinition, status, type UntypedServiceImplementation } from "@grpc/grpc-js"
import { methodOf } from "./interop-service.ts"
import { Decoded, encodeMessage } from "./protobuf.ts"

interface Asked {
  readonly service: string
}

const Check = methodOf(
  "/grpc.health.v1.Health/Check",
  { encode: ({ service }: Asked) => encodeMessage([1, service]), decode: octets => ({ service: new Decoded(octets).octets(1).toString() }) },
  { encode: (serving: number) => encodeMessage([1, serving]), decode: octets => new Decoded(octets).number(1) },
)

/** grpc.health.v1, by hand. `known`: the ServingStatus of each service (1 = SERVING, 2 = NOT_SERVING); may change while the server runs. */
export function healthService(known: Readonly<Record<string, number>>): readonly [ServiceDefinition, UntypedServiceImplementation] {
  const check: handleUnaryCall<Asked, number> = (call, answer) => {
    const serving = known[call.request.service]
    if (serving === undefined) answer({ code: status.NOT_FOUND, details: "unknown service" })
    else answer(null, serving)
  }
  return [{ Check }, { Check: check }]
}
