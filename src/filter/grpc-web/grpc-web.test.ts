import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import { FromBase64 } from "./base64-body.ts"
import grpcWeb from "./grpc-web.ts"
import { trailerFrame, WebAnswer } from "./web-answer.ts"

/** What goes upstream of a request with these fields, and what comes back when the peer answers with `answer`. */
function call(lines: string, answer = "Content-Type: application/grpc\r\n", method = "POST") {
  const run = new FilterRun(grpcWeb.build(grpcWeb.options.parse({}), new FakeDeps()), answer)
  const reply = run.send(`${method} /s/M HTTP/1.1\r\nHost: a.test\r\n${lines}Content-Length: 4\r\n\r\nAAAA`)
  return { sent: run.seen.sent[0]!, type: /^content-type: (.*)\r$/im.exec(reply)?.[1], reply }
}

function split(octets: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let at = 0, i = 0; at < octets.length; i++) {
    const size = sizes[i % sizes.length] ?? 1
    chunks.push(octets.subarray(at, (at += size)))
  }
  return chunks
}

const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 })

describe("grpc-web", () => {
  test.each([
    ["application/grpc-web", "application/grpc", "application/grpc-web"],
    ["application/grpc-web+proto", "application/grpc+proto", "application/grpc-web+proto"],
    ["Application/gRPC-Web-Text+Proto; a=b", "application/grpc+proto", "application/grpc-web-text+proto"],
    ["application/grpc-web-text", "application/grpc", "application/grpc-web-text"],
  ])("%s becomes %s, the answer %s", (asked, sent, answered) => {
    const { sent: fields, type } = call(`Content-Type: ${asked}\r\n`)
    expect(fields).toContain(`Content-Type: ${sent}\r\n`)
    expect(fields.match(/content-type/gi)).toHaveLength(1)
    expect(fields).toContain("TE: trailers\r\n")
    expect(type).toBe(answered)
  })

  test("Accept may ask for the other form", () => {
    expect(call("Content-Type: application/grpc-web+proto\r\nAccept: application/grpc-web-text\r\n").type).toBe("application/grpc-web-text+proto")
    expect(call("Content-Type: application/grpc-web-text\r\nAccept: application/grpc-web+proto\r\n").type).toBe("application/grpc-web")
    expect(call("Content-Type: application/grpc-web-text\r\nAccept: */*\r\n").type).toBe("application/grpc-web-text")
  })

  test("the peer's own word for what its messages are counts", () => {
    expect(call("Content-Type: application/grpc-web\r\n", "Content-Type: application/grpc+json\r\n").type).toBe("application/grpc-web+json")
  })

  test("a text request loses its length, a binary one keeps it", () => {
    expect(call("Content-Type: application/grpc-web-text\r\n").sent).not.toContain("Content-Length")
    expect(call("Content-Type: application/grpc-web\r\n").sent).toContain("Content-Length: 4\r\n")
  })

  test("what is neither gRPC-Web nor an answer of gRPC passes as it is", () => {
    for (const type of ["application/grpc", "application/grpc-webby", "application/json"])
      expect(call(`Content-Type: ${type}\r\n`)).toMatchObject({ sent: expect.not.stringContaining("TE: "), type: "application/grpc" })
    expect(call("Content-Type: application/grpc-web\r\n", undefined, "PUT").type).toBe("application/grpc")
    const other = call("Content-Type: application/grpc-web-text\r\n", "Content-Type: text/html\r\n")
    expect([other.type, other.reply.endsWith("\r\n\r\nreached\n")]).toEqual(["text/html", true])
  })

  test("an answer that is all trailers gets none in its body", () => {
    const { reply } = call("Content-Type: application/grpc-web\r\n", "Content-Type: application/grpc\r\ngrpc-status: 5\r\n")
    expect(reply).toEndWith("\r\n\r\nreached\n")
    expect(call("Content-Type: application/grpc-web\r\n").reply).toContain("reached\n\r\n")
  })
})

describe("base64 on the way in", () => {
  const read = (texts: readonly string[]): string | null => {
    const change = new FromBase64()
    const parts = texts.map(text => change.push(Buffer.from(text)))
    const end = change.end("")
    return end === null || parts.includes(null) ? null : Buffer.concat(parts as Uint8Array[]).toString("latin1")
  }

  test("chunks of any length, messages encoded one by one", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), sizes, (messages, lengths) => {
        const text = Buffer.from(messages.map(message => Buffer.from(message).toString("base64")).join(""))
        const chunks = split(text, lengths).map(chunk => Buffer.from(chunk).toString())
        expect(read(chunks)).toBe(Buffer.concat(messages).toString("latin1"))
      }),
    )
  })

  test.each(["A", "AA", "AAA", "AA=", "A===", "=AAA", "AA=A", "A*AA", "AAAA\n", "AA-_", "AAAA=", "é"])("%j is none", text => {
    expect(read([text])).toBeNull()
    expect(read([...text])).toBeNull()
  })
})

describe("answers", () => {
  test("as text: each message can be read whole when its last octet has come", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1 }), sizes, (messages, lengths) => {
        const framed = messages.map(message => Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]))
        const answer = new WebAnswer(true)
        const reader = new FromBase64()
        let read = Buffer.alloc(0)
        let due = 0
        for (const frame of framed) {
          due += frame.length
          for (const chunk of split(frame, lengths)) {
            const lent = Buffer.from(chunk)
            read = Buffer.concat([read, reader.push(answer.push(lent))!])
            lent.fill(0xee)
          }
          expect(read.length).toBe(due)
        }
        read = Buffer.concat([read, reader.push(answer.end("grpc-status: 0\r\n"))!])
        expect(reader.end("")).not.toBeNull()
        expect(read).toEqual(Buffer.concat([...framed, trailerFrame("grpc-status: 0\r\n")]))
      }),
    )
  })

  test("as octets: nothing is copied, trailers come last, names in lower case", () => {
    const answer = new WebAnswer(false)
    const chunk = Buffer.from("chunk")
    expect(answer.push(chunk)).toBe(chunk)
    expect(Buffer.from(answer.end("Grpc-Status: 0\r\nX-A: B:C\r\n")).toString("latin1")).toBe("\x80\0\0\0\x1agrpc-status: 0\r\nx-a: B:C\r\n")
    expect(answer.trailers).toBe("")
  })

  test("a call without a status has not gone well", () => {
    expect(Buffer.from(new WebAnswer(false).end("")).toString("latin1")).toContain("grpc-status: 2\r\n")
  })
})
