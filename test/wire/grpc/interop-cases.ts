import { status } from "@grpc/grpc-js"
import { expect } from "bun:test"
import type { GrpcClient } from "../../support/grpc/grpc-client.ts"
import { echoInitial, echoTrailing } from "../../support/grpc/grpc-server.ts"
import { interopMethods as methods, missingMethods } from "../../support/grpc/interop-service.ts"

/** The cases of gRPC's interop description that need no credentials, compression or balancing. Sizes are the description's. */
export const interopCases: Readonly<Record<string, (client: GrpcClient) => Promise<void>>> = {
  async empty_unary(client) {
    expect(await client.call(methods.EmptyCall, { messages: [{}] })).toMatchObject({ code: status.OK, answers: [{}] })
  },
  async large_unary(client) {
    const outcome = await client.call(methods.UnaryCall, { messages: [{ sizes: [314_159], payload: 271_828 }] })
    expect(outcome).toMatchObject({ code: status.OK, answers: [314_159] })
  },
  async client_streaming(client) {
    const outcome = await client.call(methods.StreamingInputCall, { messages: [27_182, 8, 1828, 45_904] })
    expect(outcome).toMatchObject({ code: status.OK, answers: [74_922] })
  },
  async server_streaming(client) {
    const outcome = await client.call(methods.StreamingOutputCall, { messages: [{ sizes: [31_415, 9, 2653, 58_979], payload: 0 }] })
    expect(outcome).toMatchObject({ code: status.OK, answers: [31_415, 9, 2653, 58_979] })
  },
  async ping_pong(client) {
    const messages = [
      { sizes: [31_415], payload: 27_182 },
      { sizes: [9], payload: 8 },
      { sizes: [2653], payload: 1828 },
      { sizes: [58_979], payload: 45_904 },
    ]
    const outcome = await client.call(methods.FullDuplexCall, { messages, pingPong: true })
    expect(outcome).toMatchObject({ code: status.OK, answers: [31_415, 9, 2653, 58_979] })
  },
  async empty_stream(client) {
    expect(await client.call(methods.FullDuplexCall, { messages: [] })).toMatchObject({ code: status.OK, answers: [] })
  },
  async cancel_after_begin(client) {
    const outcome = await client.call(methods.StreamingInputCall, { messages: [], keepOpen: true, cancelAfter: 0 })
    expect(outcome.code).toBe(status.CANCELLED)
  },
  async cancel_after_first_response(client) {
    const messages = [{ sizes: [31_415], payload: 27_182 }]
    const outcome = await client.call(methods.FullDuplexCall, { messages, keepOpen: true, cancelAfter: 1 })
    expect(outcome).toMatchObject({ code: status.CANCELLED, answers: [31_415] })
  },
  async timeout_on_sleeping_server(client) {
    const outcome = await client.call(methods.FullDuplexCall, { messages: [{ sizes: [], payload: 27_182 }], keepOpen: true, deadlineMs: 1 })
    expect(outcome.code).toBe(status.DEADLINE_EXCEEDED)
  },
  async custom_metadata(client) {
    const trailing = Buffer.from([0xab, 0xab, 0xab])
    const metadata = { [echoInitial]: "test_initial_metadata_value", [echoTrailing]: trailing }
    for (const method of ["UnaryCall", "FullDuplexCall"] as const) {
      const outcome = await client.call<never, number>(methods[method] as never, {
        metadata,
        messages: [{ sizes: [314_159], payload: 271_828 } as never],
      })
      expect(outcome).toMatchObject({ code: status.OK, answers: [314_159] })
      expect(outcome.initial.get(echoInitial)).toEqual(["test_initial_metadata_value"])
      expect(outcome.trailing.get(echoTrailing)).toEqual([trailing])
    }
  },
  status_code_and_message: client => statusComesBack(client, "test status message"),
  special_status_message: client => statusComesBack(client, "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"),
  async unimplemented_method(client) {
    expect((await client.call(missingMethods.method, { messages: [{}] })).code).toBe(status.UNIMPLEMENTED)
  },
  async unimplemented_service(client) {
    expect((await client.call(missingMethods.service, { messages: [{}] })).code).toBe(status.UNIMPLEMENTED)
  },
}

async function statusComesBack(client: GrpcClient, message: string): Promise<void> {
  const wanted = { sizes: [0], payload: 0, status: { code: status.UNKNOWN, message } }
  for (const method of ["UnaryCall", "FullDuplexCall"] as const) {
    const outcome = await client.call<never, number>(methods[method] as never, { messages: [wanted as never] })
    expect([outcome.code, outcome.details]).toEqual([status.UNKNOWN, message])
  }
}
