import { Client, credentials, Metadata, type ServiceError, type StatusObject, status } from "@grpc/grpc-js"
import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  ServerWritableStream,
  UntypedServiceImplementation,
} from "@grpc/grpc-js"
import { afterAll, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { startGrpcServer } from "../../support/grpc/grpc-server.ts"
import { methodOf } from "../../support/grpc/interop-service.ts"
import { freePorts } from "../../support/ports.ts"
import { within } from "../../support/wait.ts"

// Calls that last see nothing of a reload: numbered messages both ways, one call of each kind over each listener.

const MESSAGES = 10_000
const STREAMED = 2000
const RELOADS = 5
/** Sent and not answered yet, at most: the stream is never idle and never far ahead. */
const AHEAD = 100

/** A number, and octets that make the message so many that frames and windows cut it anywhere. */
const numbered = {
  encode(value: number): Buffer {
    const octets = Buffer.alloc(4 + ((value * 7) % 1201), value)
    octets.writeUInt32BE(value)
    return octets
  },
  decode(octets: Buffer): number {
    const value = octets.readUInt32BE()
    if (!octets.equals(numbered.encode(value))) throw new RangeError(`message ${value} is not as it was sent`)
    return value
  },
}
const methods = {
  Echo: methodOf("/test.Numbers/Echo", numbered, numbered, { requestStream: true, responseStream: true }),
  Count: methodOf("/test.Numbers/Count", numbered, numbered, { responseStream: true }),
  Who: methodOf("/test.Numbers/Who", numbered, numbered),
}

/** Echoes what comes in its order; each fifth message lets the counting call send one. `who` names the server. */
function numbers(who: number, secure: boolean) {
  let counting: ServerWritableStream<number, number> | null = null
  let counted = 0
  const echo: handleBidiStreamingCall<number, number> = call => {
    let next = 0
    call.on("data", (value: number) => {
      if (value !== next++) call.emit("error", { code: status.DATA_LOSS, details: `${value} came where ${next - 1} was due` })
      else call.write(value)
      if (next % (MESSAGES / STREAMED) !== 0) return
      counting!.write(counted++)
      if (counted === STREAMED) counting!.end()
    })
    call.on("end", () => call.end())
  }
  const count: handleServerStreamingCall<number, number> = call => {
    counting = call
    counted = 0
    call.sendMetadata(new Metadata())
  }
  const answer: handleUnaryCall<number, number> = (_call, done) => done(null, who)
  const service = { Echo: echo, Count: count, Who: answer } as UntypedServiceImplementation
  return startGrpcServer({ ...(secure && { certificate }), services: [[methods, service]] })
}

const authority = new Authority()
const certificate = authority.issue(["localhost", "127.0.0.1"])
const [plainPort, securePort, admin] = (await freePorts(3)) as [number, number, number]
const [first, second, third, fourth] = await Promise.all([numbers(1, false), numbers(2, false), numbers(3, true), numbers(4, true)])

/** Rounds 1 to 5: a peer comes, goes again, a filter and a route come, they change, and the peers that the calls go to are no more. */
function config(round: number): object {
  const tls = { serverName: "localhost", ca: authority.ca.certFile }
  /** Of these two the first one, both, or in the end the second one alone. */
  const peers = (...pair: readonly string[]) => (round === 1 ? pair : [pair[round === 5 ? 1 : 0]!])
  const filters = round < 3 ? [] : [{ headers: { response: { set: { "x-round": String(round) } } } }]
  const others = round < 3 ? [] : [{ match: { path: `/other-${round}` }, to: { respond: { body: "other" } } }]
  return {
    workers: 1,
    admin: { bind: `127.0.0.1:${admin}` },
    listeners: {
      plain: { bind: `127.0.0.1:${plainPort}` },
      secure: { bind: `127.0.0.1:${securePort}`, tls: { certificates: [{ cert: certificate.certFile, key: certificate.keyFile }] } },
    },
    clusters: {
      plain: { peers: peers(first.address, second.address), protocol: "http2" },
      secure: { peers: peers(third.address, fourth.address), protocol: "http2", tls },
    },
    routes: [
      ...others,
      { match: { listener: "plain" }, filters, to: { cluster: "plain" } },
      { match: { listener: "secure" }, filters, to: { cluster: "secure" } },
    ],
  }
}

const proxy = await startBothways(config(0))
const options = { "grpc.enable_http_proxy": 0, "grpc.enable_retries": 0, "grpc.use_local_subchannel_pool": 1 }
const plain = new Client(`127.0.0.1:${plainPort}`, credentials.createInsecure(), options)
const secure = new Client(`localhost:${securePort}`, credentials.createSsl(Buffer.from(authority.ca.cert)), options)
afterAll(async () => {
  plain.close()
  secure.close()
  await proxy.stop()
  for (const server of [first, second, third, fourth]) await server[Symbol.asyncDispose]()
})

interface Call {
  on(event: "data", listener: (value: number) => void): unknown
  on(event: "error", listener: (error: ServiceError) => void): unknown
  on(event: "status", listener: (status: StatusObject) => void): unknown
}

/** Keeps what a call brings and how it ends. */
function kept(call: Call, onAnswer: (count: number) => void) {
  const answers: number[] = []
  const { promise: end, resolve } = Promise.withResolvers<[code: number, details: string]>()
  call.on("data", value => onAnswer(answers.push(value)))
  call.on("error", () => {})
  call.on("status", ({ code, details }) => resolve([code, details]))
  return { answers, end }
}

/** Both calls over one listener. `reached` tells how many messages came back; the last one waits for `done`. */
async function traffic(client: Client, reached: (count: number) => void, done: Promise<void>) {
  const { Echo, Count } = methods
  const counting = client.makeServerStreamRequest(Count.path, Count.requestSerialize, Count.responseDeserialize, STREAMED, new Metadata())
  const counted = kept(counting, () => {})
  await new Promise(resolve => counting.on("metadata", resolve))
  const call = client.makeBidiStreamRequest(Echo.path, Echo.requestSerialize, Echo.responseDeserialize)
  const { promise: allButOne, resolve: onlyOneLeft } = Promise.withResolvers<void>()
  let sent = 0
  const sendOn = (came: number): void => {
    while (sent < MESSAGES - 1 && sent < came + AHEAD) call.write(sent++)
    if (sent === MESSAGES - 1) onlyOneLeft()
  }
  const echoed = kept(call, came => {
    sendOn(came)
    reached(came)
  })
  sendOn(0)
  void Promise.all([allButOne, done]).then(() => {
    call.write(MESSAGES - 1)
    call.end()
  })
  const end = await echoed.end
  if (end[0] !== status.OK) counting.cancel()
  return { echoed: [echoed.answers, end], counted: [counted.answers, await counted.end] }
}

/** The server that a new call reaches, and what the filter says to it. */
function who(client: Client): Promise<string> {
  const { Who } = methods
  return new Promise((resolve, reject) => {
    let round = ""
    const call = client.makeUnaryRequest(Who.path, Who.requestSerialize, Who.responseDeserialize, 1, (error, server) =>
      error ? reject(error) : resolve(`${server} ${round}`),
    )
    call.on("metadata", metadata => void (round = String(metadata.get("x-round")[0])))
  })
}

test("ten thousand messages each way over h2c and over TLS, five reloads meanwhile: all of them, in order", async () => {
  const counts = [0, 0]
  const { promise: reloaded, resolve: done, reject: failed } = Promise.withResolvers<void>()
  let asked = 0
  /** Each time that both streams have come so far; they go on while it is done. */
  const progress = (): void => {
    if (asked === RELOADS || Math.min(...counts) < ((asked + 1) * MESSAGES) / (RELOADS + 1)) return
    reload(++asked).then(() => (asked === RELOADS ? done() : progress()), failed)
  }
  const seen: unknown[] = []
  const reload = async (round: number): Promise<void> => {
    proxy.rewrite(config(round))
    const reply = await proxy.ask("/reload", { method: "POST", headers: { "X-Bothways": "1" } })
    const before = [...counts]
    seen.push([round, reply.status, [await who(plain), await who(secure)], before.every(count => count < MESSAGES - 1)])
  }
  const both = [plain, secure].map((client, index) =>
    traffic(
      client,
      came => {
        counts[index] = came
        progress()
      },
      reloaded,
    ),
  )
  const story = (): string => `both calls did not end: ${JSON.stringify({ counts, seen })}`
  const all = await within(Promise.race([Promise.all(both), reloaded.then(() => Promise.all(both))]), 12_000, story)
  const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)
  for (const { echoed, counted } of all) {
    expect(echoed[1]).toEqual([status.OK, "OK"])
    expect(counted[1]).toEqual([status.OK, "OK"])
    expect(echoed[0]).toEqual(upTo(MESSAGES))
    expect(counted[0]).toEqual(upTo(STREAMED))
  }
  expect(seen.map(each => (each as unknown[]).slice(0, 2))).toEqual([1, 2, 3, 4, 5].map(round => [round, 200]))
  // What a reload says holds for calls that begin behind it.
  expect(seen.slice(2)).toEqual([
    [3, 200, ["1 3", "3 3"], true],
    [4, 200, ["1 4", "3 4"], true],
    [5, 200, ["2 5", "4 5"], true],
  ])
}, 15_000)
