import { afterAll, expect, test } from "bun:test"
import { until } from "../../../support/wait.ts"
import { EngineWorld, get } from "./engine-world.ts"
import { endAll, herd, pattern, tally, untilDone } from "./herd.ts"

// A body in chunks that turns out too large for the memory while several read it (entries may have a quarter of it).

const world = await EngineWorld.start({ memory: "1MB", workers: 1 })
afterAll(() => world[Symbol.asyncDispose]())

const body = pattern(3 * 2 ** 20)
const head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nTransfer-Encoding: chunked\r\n\r\n"

function chunksOf(octets: Buffer): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; at < octets.length; at += 9000) {
    const piece = octets.subarray(at, at + 9000)
    pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"))
  }
  return Buffer.concat(pieces)
}

test("it goes on to all of them, a slow one and fast ones; the next one asks anew", async () => {
  const [slow, ...fast] = await herd(world.port, 4, body)
  slow!.socket.pause()
  for (const client of [slow!, ...fast]) client.socket.write(get("/large"))
  const { connection } = await world.reach("/large")
  connection.send(head)
  connection.send(chunksOf(body))
  connection.send("0\r\n\r\n")
  // The fast ones are held back by the slow one, once there is no room for what it has not taken.
  await until(() => fast.every(client => client.received > 200_000))
  slow!.socket.resume()
  await untilDone([slow!, ...fast])
  expect([tally([slow!, ...fast]), world.asked("/large")]).toEqual([{ [`200 whole ${body.length}`]: 4 }, 1])
  const later = await herd(world.port, 1, body)
  later[0]!.socket.write(get("/large"))
  const again = await world.reach("/large", 1)
  again.connection.send(Buffer.concat([Buffer.from(head), chunksOf(body), Buffer.from("0\r\n\r\n")]))
  await untilDone(later)
  expect(tally(later)).toEqual({ [`200 whole ${body.length}`]: 1 })
  endAll([slow!, ...fast, ...later])
})

test("the slow one goes: the others have the rest at once", async () => {
  const [slow, ...fast] = await herd(world.port, 3, body)
  slow!.socket.pause()
  for (const client of [slow!, ...fast]) client.socket.write(get("/leaves"))
  const { connection } = await world.reach("/leaves")
  connection.send(Buffer.concat([Buffer.from(head), chunksOf(body), Buffer.from("0\r\n\r\n")]))
  await until(() => fast.every(client => client.received > 200_000))
  slow!.socket.resetAndDestroy()
  await untilDone(fast)
  expect(tally(fast)).toEqual({ [`200 whole ${body.length}`]: 2 })
  endAll(fast)
})

test("all of them go: the origin is left, and nothing stays behind", async () => {
  const all = await herd(world.port, 3, body)
  for (const client of all) client.socket.write(get("/empty"))
  const { connection } = await world.reach("/empty")
  connection.send(Buffer.concat([Buffer.from(head), chunksOf(body.subarray(0, 1_000_000))]))
  await until(() => all.every(client => client.received > 500_000))
  // A FIN alone would leave it open whether they still read.
  for (const { socket } of all) socket.resetAndDestroy()
  await until(() => connection.ending !== "open")
  await world.untilAlone()
  await world.change("/cache/purge?all=true")
  await until(async () => (await world.memory()).usedBytes === 0)
})

test("it ends badly there: nobody sees a whole", async () => {
  const all = await herd(world.port, 3, body)
  for (const client of all) client.socket.write(get("/breaks"))
  const { connection } = await world.reach("/breaks")
  connection.send(Buffer.concat([Buffer.from(head), chunksOf(body.subarray(0, 1_000_000))]))
  await until(() => all.every(client => client.received > 900_000))
  connection.reset()
  await untilDone(all)
  expect(all.map(({ status, whole, wrong }) => [status, whole, wrong])).toEqual(Array(3).fill([200, false, ""]))
  endAll(all)
})
