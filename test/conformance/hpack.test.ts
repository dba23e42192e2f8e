import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "bun:test"
import { HpackDecoder } from "../../src/http/h2/hpack/decoder.ts"
import { HpackEncoder, hpackBytesMax } from "../../src/http/h2/hpack/encoder.ts"

// Stories of http2jp/hpack-test-case (data/LICENSES.md): blocks of one connection in order, by five encoders, some with tables that change their size.
interface Story {
  readonly encoder: string
  readonly story: number
  readonly cases: readonly {
    readonly wire: string
    readonly headers: readonly Readonly<Record<string, string>>[]
    readonly header_table_size?: number
  }[]
}

const stories = JSON.parse(readFileSync(join(import.meta.dirname, "data/hpack-stories.json"), "utf8")) as Story[]
const tableBytesMax = 16384

function decode(decoder: HpackDecoder, octets: Uint8Array): string[] | false {
  const fields: string[] = []
  return decoder.decode(octets, 0, octets.length, { onField: entry => void fields.push(entry.line) }) ? fields : false
}

const linesOf = (headers: readonly Readonly<Record<string, string>>[]): string[] =>
  headers.flatMap(header => Object.entries(header).map(([name, value]) => `${name}: ${value}\r\n`))

const ofOneConnection = /^(?:connection|keep-alive|proxy-connection|transfer-encoding|upgrade|host):/

function encode(encoder: HpackEncoder, pseudo: readonly string[], others: readonly string[]): Buffer {
  const out = Buffer.alloc(hpackBytesMax(pseudo.join("").length + others.join("").length))
  let at = encoder.begin(out, 0)
  for (const line of pseudo) {
    const [, name, value] = /^(:[^:]+): (.*)\r\n$/.exec(line)!
    at = encoder.pseudo(name!, value!, out, at)
  }
  return out.subarray(0, encoder.lines(others.join(""), out, at))
}

describe("HPACK stories", () => {
  for (const name of new Set(stories.map(story => story.encoder))) {
    const own = stories.filter(story => story.encoder === name)
    test(`${name}: ${own.length} stories decode to their fields`, () => {
      for (const { story, cases } of own) {
        const decoder = new HpackDecoder(tableBytesMax)
        for (const [place, { wire, headers }] of cases.entries()) {
          expect([story, place, decode(decoder, Buffer.from(wire, "hex"))]).toEqual([story, place, linesOf(headers)])
        }
      }
    })
  }
  test("our encoder tells each story so that it decodes to the same, in less than half of the octets", () => {
    let octets = 0
    let characters = 0
    for (const { cases } of stories) {
      const decoder = new HpackDecoder()
      const encoder = new HpackEncoder()
      for (const { headers, header_table_size: size } of cases) {
        if (size !== undefined) encoder.setTableBytesMax(size)
        const lines = linesOf(headers)
        const pseudo = lines.filter(line => line.startsWith(":"))
        const others = lines.filter(line => !line.startsWith(":"))
        const block = encode(encoder, pseudo, others)
        expect(decode(decoder, block)).toEqual([...pseudo, ...others.filter(line => !ofOneConnection.test(line))])
        octets += block.length
        characters += lines.join("").length
      }
    }
    expect(octets).toBeLessThan(characters / 2)
  })
})
