import { afterAll, describe, expect, test } from "bun:test"
import { createServer, type Server, type Socket } from "node:net"
import { Directory } from "./directory.ts"
import type { DirectoryAddress } from "./directory-socket.ts"
import { openDirectory } from "./directory-socket.ts"

// Servers that do what a directory must not.
const servers: Server[] = []
afterAll(() => {
  for (const server of servers) server.close()
})

interface Fake {
  readonly address: DirectoryAddress
  readonly received: Buffer[]
  readonly connections: Socket[]
}

type Answer = (socket: Socket, received: Buffer, count: number) => unknown

async function fake(answer: Answer, tls: DirectoryAddress["tls"] = "start"): Promise<Fake> {
  const [received, connections]: [Buffer[], Socket[]] = [[], []]
  const server = createServer(socket => {
    connections.push(socket)
    socket.on("error", () => {})
    socket.on("data", (chunk: Buffer) => {
      received.push(chunk)
      answer(socket, chunk, received.length)
    })
  })
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as { port: number }
  return { address: { host: "127.0.0.1", port, tls, ca: null, serverName: "" }, received, connections }
}

const startTlsAnswer = (code: number): Buffer => Buffer.from(`300c02010178070a01${code.toString(16).padStart(2, "0")}04000400`, "hex")
/** BindResponse to the message of this request, with a result code. */
const bindAnswer = (request: Buffer, code: number): Buffer =>
  Buffer.from(`300c0201${request[4]!.toString(16).padStart(2, "0")}61070a01${code.toString(16).padStart(2, "0")}04000400`, "hex")

describe("StartTLS", () => {
  const cases: readonly (readonly [what: string, answer: Answer, message: string])[] = [
    ["is refused", (socket: Socket) => socket.write(startTlsAnswer(52)), "refused with the code 52"],
    [
      "has more behind its answer",
      (socket: Socket) => socket.write(Buffer.concat([startTlsAnswer(0), bindAnswer(Buffer.alloc(8, 2), 0)])),
      "no answer to StartTLS",
    ],
    [
      "has the beginning of more behind it",
      (socket: Socket) => socket.write(Buffer.concat([startTlsAnswer(0), Buffer.from("30", "hex")])),
      "no answer to StartTLS",
    ],
    ["is answered by HTTP", (socket: Socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"), "no answer to StartTLS"],
    ["is answered by the end", (socket: Socket) => socket.end(), "closed"],
    ["is not answered", () => {}, "no connection within 100 ms"],
    [
      "is answered, and no TLS follows",
      (socket: Socket, _: Buffer, count: number) => void (count === 1 ? socket.write(startTlsAnswer(0)) : socket.write("hello")),
      "",
    ],
  ]
  test.each(cases)("%s: no connection, and nothing but the question was sent", async (_, answer, message) => {
    const { address, received, connections } = await fake(answer)
    const opened = openDirectory(address, 100)
    await expect(opened).rejects.toThrow(message)
    expect(received[0]!.toString("latin1")).toContain("1.3.6.1.4.1.1466.20037")
    for (let i = 0; i < 200 && !connections[0]!.destroyed && !connections[0]!.readableEnded; i++) await Bun.sleep(2)
    expect(connections[0]!.destroyed || connections[0]!.readableEnded).toBe(true)
  })

  test("nobody there", async () => {
    const { address } = await fake(() => {})
    servers.at(-1)!.close()
    await expect(openDirectory(address, 500)).rejects.toThrow()
  })
})

describe("servers", () => {
  const times = { connectMs: 300, answerMs: 60 }
  const named = (...fakes: Fake[]) => fakes.map(({ address }, i) => ({ name: `ldap://${i}`, address }))

  test("one that hangs is given up for the next one, and left alone for a while", async () => {
    const hangs = await fake(() => {}, "none")
    const good = await fake((socket, request) => socket.write(bindAnswer(request, 0)), "none")
    const directory = new Directory(named(hangs, good), times)
    expect(await directory.use(link => link.bind("cn=x", "y"))).toBe(true)
    expect(await directory.use(link => link.bind("cn=x", "y"))).toBe(true)
    expect([hangs.connections.length, good.connections.length]).toEqual([1, 1])
  })

  test("a connection that was lost is not opened again behind our back: the next use has a new one", async () => {
    const server = await fake((socket, request) => socket.write(bindAnswer(request, 0)), "none")
    const directory = new Directory(named(server), times)
    expect(await directory.use(link => link.bind("cn=x", "y"))).toBe(true)
    server.connections[0]!.destroy()
    for (let i = 0; i < 3; i++) expect(await directory.use(link => link.bind("cn=x", "y"))).toBe(true)
    expect(server.connections.length).toBe(2)
    const lost = directory.use(async link => {
      server.connections[1]!.destroy()
      for (let i = 0; i < 100 && link.isOpen; i++) await Bun.sleep(2)
      return link.bind("cn=x", "secret")
    })
    // A used connection is tried once more on a new one, never on the same.
    expect(await lost.catch(() => "lost")).not.toBe(false)
    expect(server.received.filter(chunk => chunk.includes("secret")).length).toBeLessThanOrEqual(1)
  })

  test("refusals are answers, trouble is none; an empty password is never sent", async () => {
    let code = 49
    const server = await fake((socket, request) => socket.write(bindAnswer(request, code)), "none")
    const directory = new Directory(named(server), times)
    for (code of [49, 48, 53, 19]) expect(await directory.use(link => link.bind("cn=x", "y"))).toBe(false)
    const before = server.received.length
    expect(await directory.use(link => link.bind("cn=x", ""))).toBe(false)
    expect(server.received.length).toBe(before)
    for (code of [1, 51, 52, 80]) await expect(directory.use(link => link.bind("cn=x", "y"))).rejects.toThrow()
  })

  test("answers that are none at all", async () => {
    for (const octets of ["", "\0\0\0\0", "0\x80", "0\x84\xff\xff\xff\xff", "HTTP/1.1 200 OK\r\n\r\n", "0\x03\x02\x01\x02"]) {
      const server = await fake(socket => void (octets === "" ? socket.end() : socket.write(Buffer.from(octets, "latin1"))), "none")
      const directory = new Directory(named(server), times)
      await expect(directory.use(link => link.bind("cn=x", "y"))).rejects.toThrow()
    }
  })
})
