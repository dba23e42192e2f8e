import { describe, expect, spyOn, test } from "bun:test"
import { randomBytes } from "node:crypto"
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib"
import { until } from "../../../test/support/wait.ts"
import { encodeResponse } from "../stored.ts"
import type { Coding } from "./coding.ts"
import { encodedFields } from "./encoded-fields.ts"
import { encodedKey } from "./encoded-state.ts"
import { EncodingThread, page, put, storedWith, storeWith, text } from "./encoder.fixture.ts"

const decoders = { br: brotliDecompressSync, zstd: zstdDecompressSync, gzip: gunzipSync } as const
const decode = (coding: string, body: Uint8Array): string => decoders[coding as Coding](body).toString()
const stored = storedWith('ETag: "v1"\r\nContent-Length: 8800\r\nX-Own: 1\r\n')

describe("what an answer is made of", () => {
  for (const coding of ["br", "zstd", "gzip"] as const) {
    test(`${coding}: plain at first, and made; then encoded`, async () => {
      const thread = new EncodingThread(storeWith(stored).store)
      const first = thread.ask(stored, { "accept-encoding": coding })
      expect([first.coding, first.body.equals(text)]).toEqual(["", true])
      const then = await thread.encoded(stored, { "accept-encoding": coding })
      expect([then.coding, decode(coding, then.body)]).toEqual([coding, text.toString()])
      expect(then.body.length).toBeLessThan(text.length / 10)
    })
  }

  test("fields: those that are true of the encoded octets", async () => {
    const lines = 'ETag: "v1"\r\nContent-Length: 8800\r\nVary: Origin\r\nAccept-Ranges: bytes\r\nRepr-Digest: sha-256=:x:\r\nX-Own: 1\r\n'
    const varied = storedWith(lines, { vary: "origin" })
    const thread = new EncodingThread(storeWith(varied).store)
    const plain = thread.ask(varied, {})
    expect(plain.fields.render().split("\r\n").sort()).toEqual(
      `Content-Type: text/plain\r\nAge: 1\r\n${lines.replace("Origin", "Origin, Accept-Encoding")}`.split("\r\n").sort(),
    )
    const { fields } = await thread.encoded(varied)
    expect(fields.render().split("\r\n")).toEqual([
      ...["Content-Type: text/plain", "X-Own: 1", 'ETag: W/"v1"', "Content-Encoding: br", "Vary: Origin, Accept-Encoding"],
      ...["Accept-Ranges: none", "Age: 1", ""],
    ])
  })

  test("a tag that is weak stays as it is; without one there is none; Accept-Encoding is not named twice", async () => {
    const weak = storedWith('ETag: W/"v1"\r\nVary: X-A, ACCEPT-ENCODING\r\n', { vary: "accept-encoding,x-a" })
    const thread = new EncodingThread(storeWith(weak).store)
    expect(thread.ask(weak, {}).fields.find("vary")).toBe("X-A, ACCEPT-ENCODING")
    const untagged = storedWith("")
    const { fields } = await new EncodingThread(storeWith(untagged).store).encoded(untagged)
    expect([fields.find("etag"), fields.find("vary")]).toEqual([undefined, "Accept-Encoding"])
    const made = encodedFields(weak, "gzip")
    expect([made.find("etag"), made.find("vary")]).toEqual(['W/"v1"', "X-A, ACCEPT-ENCODING"])
  })

  test("plain for a range, for who wants it unchanged, and for who takes nothing that there is", async () => {
    const thread = new EncodingThread(storeWith(stored).store)
    await thread.encoded(stored)
    const accept = { "accept-encoding": "br" }
    expect(thread.ask(stored, accept).coding).toBe("br")
    expect(thread.ask(stored, { ...accept, range: "bytes=0-9" }).coding).toBe("")
    expect(thread.ask(stored, { ...accept, "cache-control": "no-transform" }).coding).toBe("")
    expect(thread.ask(stored, { ...accept, "cache-control": "max-stale" }).coding).toBe("br")
    expect(thread.ask(stored, { "accept-encoding": "deflate" }).coding).toBe("")
    expect(thread.ask(stored, { "accept-encoding": "identity;q=0, gzip;q=0" }).coding).toBe("")
  })

  test("of several the one that is there, until the better one is made", async () => {
    const thread = new EncodingThread(storeWith(stored).store)
    await thread.encoded(stored, { "accept-encoding": "gzip" })
    thread.clock.advance(1000)
    expect(thread.ask(stored, { "accept-encoding": "br, gzip" }).coding).toBe("gzip")
    await until(() => {
      thread.clock.advance(1000)
      return thread.ask(stored, { "accept-encoding": "br, gzip" }).coding === "br"
    })
  })

  test("HEAD is told what GET gets, and has nothing made", async () => {
    const thread = new EncodingThread(storeWith(stored).store)
    expect(thread.ask(stored, undefined, "HEAD").coding).toBe("")
    await Bun.sleep(50)
    thread.clock.advance(1000)
    expect(thread.ask(stored, undefined, "HEAD").coding).toBe("")
    await thread.encoded(stored)
    expect(thread.ask(stored, undefined, "HEAD").coding).toBe("br")
  })

  test("whoever asks about the weak tag is told it also when the encoded body is gone", async () => {
    const { store } = storeWith(stored)
    const thread = new EncodingThread(store)
    await thread.encoded(stored)
    store.removeKey(encodedKey(page, "br"))
    const asks = (tag: string): string | undefined => thread.ask(stored, { "if-none-match": tag }).fields.find("etag")
    expect([asks('"x", W/"v1"'), asks('"v1"'), asks('W/"v2"')]).toEqual(['W/"v1"', '"v1"', '"v1"'])
  })
})

describe("an encoded body is one of exactly these octets", () => {
  test("after a 304 it is the same entry, and nothing is made anew", async () => {
    const { store } = storeWith(stored)
    const thread = new EncodingThread(store)
    const before = await thread.encoded(stored)
    const fresh = storedWith('ETag: "v1"\r\nX-Own: 2\r\n')
    put(store, fresh)
    const after = thread.ask(fresh)
    expect([after.coding, after.place, after.generation, after.fields.find("x-own")]).toEqual(["br", before.place, before.generation, "2"])
    // Another thread, which has seen nothing of all that.
    const other = new EncodingThread(store).ask(fresh)
    expect([other.coding, other.place, other.generation]).toEqual(["br", before.place, before.generation])
  })

  test("another body is never answered with the old one, also under the same tag and length", async () => {
    const { store } = storeWith(stored)
    const thread = new EncodingThread(store)
    const before = await thread.encoded(stored)
    const other = Buffer.from(text)
    other[4000]! ^= 1
    put(store, stored, other)
    const plain = thread.ask(stored)
    expect([plain.coding, plain.body.equals(other)]).toEqual(["", true])
    const after = await thread.encoded(stored)
    expect([decode("br", after.body), after.generation === before.generation && after.place === before.place]).toEqual([other.toString(), false])
  })

  test("a long body: its digest is taken in the background, and then what is there is used", async () => {
    const long = Buffer.alloc(3 * 1024 * 1024, text)
    const { store } = storeWith(stored, long, 32 * 1024 * 1024)
    const thread = new EncodingThread(store, ["zstd"])
    const before = await thread.encoded(stored)
    expect(decode("zstd", before.body)).toBe(long.toString())
    put(store, stored, long)
    expect(thread.ask(stored).coding).toBe("")
    const after = await thread.encoded(stored)
    expect([after.place, after.generation]).toEqual([before.place, before.generation])
    await until(() => store.pending(encodedKey(page, "zstd")) === null)
    const entry = store.find(encodedKey(page, "zstd"))!
    expect([entry.place, entry.generation]).toEqual([before.place, before.generation])
    entry.release()
  })
})

describe("what is made, and when not", () => {
  test("what would not be smaller is tried once, for all threads, also after a 304", async () => {
    const octets = randomBytes(20_000)
    const { store } = storeWith(stored, octets)
    const thread = new EncodingThread(store, ["gzip"])
    thread.ask(stored)
    const tried = await until(() => {
      const entry = store.find(encodedKey(page, "gzip"))
      const seen = entry === null || entry.state < 2 ? null : { generation: entry.generation, length: entry.bodyLength }
      entry?.release()
      return seen
    })
    expect(tried.length).toBe(0)
    put(store, stored, octets)
    for (const each of [thread, new EncodingThread(store, ["gzip"])]) {
      for (let times = 0; times < 5; times++) {
        each.clock.advance(100_000)
        expect(each.ask(stored).coding).toBe("")
        await Bun.sleep(10)
      }
    }
    const entry = store.find(encodedKey(page, "gzip"))!
    expect([entry.generation, entry.bodyLength]).toEqual([tried.generation, 0])
    entry.release()
  })

  test("two threads at once make one", async () => {
    const { store } = storeWith(stored)
    const threads = [new EncodingThread(store, ["br"]), new EncodingThread(store, ["br"])]
    for (const thread of threads) thread.ask(stored)
    const made = await Promise.all(threads.map(thread => thread.encoded(stored)))
    expect([made[0]!.place, made[0]!.generation]).toEqual([made[1]!.place, made[1]!.generation])
    expect(decode("br", made[0]!.body)).toBe(text.toString())
  })

  test("a thread makes two at a time, and the next one when it is asked for again", async () => {
    const { store } = storeWith(stored)
    const begins = spyOn(store, "begin")
    const thread = new EncodingThread(store)
    for (const coding of ["br", "zstd", "gzip"]) thread.ask(stored, { "accept-encoding": coding })
    expect(begins).toHaveBeenCalledTimes(2)
    for (const coding of ["br", "zstd", "gzip"]) {
      const { body } = await thread.encoded(stored, { "accept-encoding": coding })
      expect(decode(coding, body)).toBe(text.toString())
    }
    expect(begins).toHaveBeenCalledTimes(3)
  })

  test("a purge meanwhile leaves nothing behind", async () => {
    const { store, control } = storeWith(stored)
    const thread = new EncodingThread(store, ["br"])
    thread.ask(stored)
    expect(control.purge({ by: "group", group: page.group }, false)).toBe(2)
    await Bun.sleep(100)
    expect(store.find(encodedKey(page, "br"))).toBeNull()
    put(store, stored)
    expect(decode("br", (await thread.encoded(stored)).body)).toBe(text.toString())
    expect(control.purge({ by: "group", group: page.group }, false)).toBe(2)
    expect(store.find(encodedKey(page, "br"))).toBeNull()
  })

  test("a purge by label takes it, too", async () => {
    const labelled = storedWith("Cache-Tag: a, b\r\n")
    const { store, control } = storeWith(labelled)
    put(store, labelled, text, ["a", "b"])
    await new EncodingThread(store).encoded(labelled)
    expect(control.purge({ by: "label", label: "b" }, false)).toBe(2)
    expect(store.find(encodedKey(page, "br"))).toBeNull()
  })

  test("nothing is stored beside what has been evicted", async () => {
    const { store } = storeWith(stored)
    const thread = new EncodingThread(store, ["br"])
    thread.ask(stored)
    store.removeKey(page)
    await until(() => store.pending(encodedKey(page, "br")) === null)
    expect(store.find(encodedKey(page, "br"))).toBeNull()
  })

  test("where there is no room for it the plain one stays, and it is tried again after a minute", async () => {
    const { store } = storeWith(stored, text, 1024 * 1024)
    // The plain one is as large as an entry may be; encoded it saves less than its longer head takes.
    const body = Buffer.concat([randomBytes(900), Buffer.alloc(130)])
    const bare = encodeResponse(storedWith("X-Long: \r\n"), storedWith("X-Long: \r\n").lines).length + body.length + page.text.length
    const large = storedWith(`X-Long: ${"x".repeat(store.entryBytesMax - bare)}\r\n`)
    put(store, large, body)
    const thread = new EncodingThread(store, ["gzip"])
    const begins = spyOn(store, "begin")
    for (const [ms, times] of [
      [0, 1],
      [1000, 1],
      [30_000, 1],
      [31_000, 2],
    ] as const) {
      thread.clock.advance(ms)
      expect(thread.ask(large).body.equals(body)).toBe(true)
      await until(() => store.pending(encodedKey(page, "gzip")) === null)
      await Bun.sleep(20)
      expect(begins).toHaveBeenCalledTimes(times)
    }
  })
})
