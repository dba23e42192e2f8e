import {
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js"
import type { Certificate } from "../certificates.ts"
import type { Empty, InteropRequest } from "./interop-messages.ts"
import { interopMethods } from "./interop-service.ts"

export const echoInitial = "x-grpc-test-echo-initial"
export const echoTrailing = "x-grpc-test-echo-trailing-bin"

/** A gRPC server of the library that most programs of this language use. */
export class GrpcServer implements AsyncDisposable {
  readonly address: string
  readonly port: number
  /** Metadata of each call, in order. */
  readonly calls: Metadata[]
  private readonly server: Server
  private readonly ends: { cancelled: number }

  constructor(server: Server, port: number, calls: Metadata[], ends: { cancelled: number }) {
    this.server = server
    this.port = port
    this.address = `127.0.0.1:${port}`
    this.calls = calls
    this.ends = ends
  }

  /** Calls that their client gave up. */
  get cancelled(): number {
    return this.ends.cancelled
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.forceShutdown()
  }
}

export interface GrpcServerOptions {
  readonly certificate?: Certificate
  readonly services?: readonly (readonly [ServiceDefinition, UntypedServiceImplementation])[]
}

/** The interop service on a port that is free, or others; over TLS with a certificate. */
export async function startGrpcServer({ certificate, services }: GrpcServerOptions = {}): Promise<GrpcServer> {
  const calls: Metadata[] = []
  const ends = { cancelled: 0 }
  const server = new Server()
  for (const [methods, implementation] of services ?? [[interopMethods, interop(calls, ends)]]) server.addService(methods, implementation)
  const pair = certificate && [{ cert_chain: Buffer.from(certificate.cert), private_key: Buffer.from(certificate.key) }]
  const credentials = pair ? ServerCredentials.createSsl(null, pair) : ServerCredentials.createInsecure()
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  server.bindAsync("127.0.0.1:0", credentials, (error, port) => (error ? reject(error) : resolve(port)))
  return new GrpcServer(server, await promise, calls, ends)
}

interface Call {
  readonly metadata: Metadata
  sendMetadata(metadata: Metadata): void
  on(event: "cancelled", listener: () => void): unknown
}

function interop(calls: Metadata[], ends: { cancelled: number }): UntypedServiceImplementation {
  /** Notes the call, echoes its metadata and gives the trailing ones. */
  const greet = (call: Call): Metadata => {
    calls.push(call.metadata)
    call.on("cancelled", () => void ends.cancelled++)
    const initial = call.metadata.get(echoInitial)
    if (initial.length > 0) {
      const metadata = new Metadata()
      metadata.set(echoInitial, initial[0]!)
      call.sendMetadata(metadata)
    }
    const trailing = new Metadata()
    for (const value of call.metadata.get(echoTrailing)) trailing.add(echoTrailing, value)
    return trailing
  }
  const emptyCall: handleUnaryCall<Empty, Empty> = (call, answer) => answer(null, {}, greet(call))
  const unaryCall: handleUnaryCall<InteropRequest, number> = (call, answer) => {
    const trailing = greet(call)
    const { status, sizes } = call.request
    if (status !== undefined) answer({ code: status.code, details: status.message, metadata: trailing })
    else answer(null, sizes[0]!, trailing)
  }
  const streamingInput: handleClientStreamingCall<number, number> = (call, answer) => {
    const trailing = greet(call)
    let sum = 0
    call.on("data", (size: number) => void (sum += size))
    call.on("end", () => answer(null, sum, trailing))
  }
  const streamingOutput: handleServerStreamingCall<InteropRequest, number> = call => {
    const trailing = greet(call)
    for (const size of call.request.sizes) call.write(size)
    if (call.request.status !== undefined) call.emit("error", { code: call.request.status.code, details: call.request.status.message })
    else call.end(trailing)
  }
  const fullDuplex: handleBidiStreamingCall<InteropRequest, number> = call => {
    const trailing = greet(call)
    let failed = false
    call.on("data", ({ sizes, status }: InteropRequest) => {
      for (const size of sizes) call.write(size)
      if (status === undefined) return
      failed = true
      call.emit("error", { code: status.code, details: status.message, metadata: trailing })
    })
    call.on("end", () => !failed && call.end(trailing))
  }
  return {
    EmptyCall: emptyCall,
    UnaryCall: unaryCall,
    StreamingInputCall: streamingInput,
    StreamingOutputCall: streamingOutput,
    FullDuplexCall: fullDuplex,
  }
}
