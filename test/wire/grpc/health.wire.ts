import { status } from "@grpc/grpc-js"
import { expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { GrpcClient } from "../../support/grpc/grpc-client.ts"
import { startGrpcServer } from "../../support/grpc/grpc-server.ts"
import { healthService } from "../../support/grpc/health-service.ts"
import { emptyMessage } from "../../support/grpc/interop-messages.ts"
import { methodOf } from "../../support/grpc/interop-service.ts"
import { freePort } from "../../support/ports.ts"
import { until } from "../../support/wait.ts"

const Who = methodOf("/shop/Who", emptyMessage, { encode: (text: string) => Buffer.from(text), decode: octets => octets.toString() })

test("a peer that says that it does not serve gets no calls until it does again", async () => {
  const port = await freePort()
  const states = [{ shop: 1 }, { shop: 1 }]
  const start = (index: number) =>
    startGrpcServer({
      services: [
        healthService(states[index]!),
        [{ Who }, { Who: (_: unknown, answer: (error: null, text: string) => void) => answer(null, `peer ${index}`) }],
      ],
    })
  await using first = await start(0)
  await using second = await start(1)
  await using proxy = await startBothways({
    listeners: { web: { bind: `127.0.0.1:${port}` } },
    clusters: {
      shop: { peers: [first.address, second.address], protocol: "http2", health: { grpc: { service: "shop", every: "20ms", fall: 2, rise: 2 } } },
    },
    routes: [{ match: {}, to: { cluster: "shop" } }],
  })
  using client = new GrpcClient(`127.0.0.1:${port}`)
  const answering = async (): Promise<string> => {
    const seen = new Set<string>()
    for (let i = 0; i < 6; i++) {
      const { code, answers } = await client.call(Who, { messages: [{}] })
      expect(code).toBe(status.OK)
      seen.add(answers[0]!)
    }
    return [...seen].sort().join(", ")
  }
  await until(async () => (await answering()) === "peer 0, peer 1")
  states[1]!.shop = 2
  await until(async () => (await answering()) === "peer 0")
  expect(await until(() => proxy.program.stderr.split("\n").find(line => line.includes("NOT_SERVING")))).toContain(second.address)
  states[1]!.shop = 1
  await until(async () => (await answering()) === "peer 0, peer 1")
})
