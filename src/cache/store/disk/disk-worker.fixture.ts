import { parentPort, workerData } from "node:worker_threads"
import { setKeySeed } from "../key.ts"
import { attachDiskStore } from "./attach-disk-store.ts"
import { get, keyOf, octetsOf, put, writeAll } from "./disk.fixture.ts"
import type { DiskAttachment, DiskTail } from "./disk-contract.ts"

/** A worker that does as it is told, and answers. */
export type Order =
  | { readonly what: "put"; readonly name: string; readonly length: number }
  | { readonly what: "get"; readonly name: string; readonly length: number }
  | { readonly what: "begin"; readonly name: string; readonly length: number; readonly labels: readonly string[] }
  | { readonly what: "hold"; readonly name: string }
  | { readonly what: "follow"; readonly name: string; readonly ticket: number }
  | { readonly what: "commit" }
  | { readonly what: "remove"; readonly name: string }

const { attachment, self, seed } = workerData as { attachment: DiskAttachment; self: number; seed: number }
setKeySeed(seed)
const end = attachDiskStore(attachment, self)
const port = parentPort!
let writing: ReturnType<typeof end.begin> = null
let turn = Promise.resolve()

async function obey(order: Order): Promise<unknown> {
  switch (order.what) {
    case "put":
      return put(end, keyOf(order.name), octetsOf(order.name, order.length))
    case "get":
      return (await get(end, keyOf(order.name)))?.body?.equals(octetsOf(order.name, order.length)) ?? null
    case "begin":
      writing = end.begin(keyOf(order.name), Buffer.from("h"), -1, order.labels)!
      await writeAll(writing, octetsOf(order.name, order.length))
      return writing.ticket
    case "hold": {
      const entry = await end.load(keyOf(order.name))
      return entry?.bodyLength ?? null
    }
    case "follow": {
      const tail = await end.follow(keyOf(order.name), order.ticket)
      return tail === null ? null : untilEnd(tail)
    }
    case "commit":
      return writing!.commit()
    case "remove":
      return end.remove(keyOf(order.name))
  }
}

async function untilEnd(tail: DiskTail): Promise<{ state: number; written: number }> {
  while (tail.state === 0) await new Promise<void>(resolve => tail.watch(resolve))
  const { state, written } = tail
  tail.close()
  return { state, written }
}

port.on("message", (order: Order) => {
  turn = turn.then(async () => port.postMessage(await obey(order)))
})
