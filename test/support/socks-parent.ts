import { connect, createServer, type AddressInfo, type Socket } from "node:net"
import { RawSocket } from "./raw-socket.ts"

/** What a SOCKS 5 proxy does with a client; `null` goes on as one does that knows its protocol. */
export type SocksScript = (client: Socket, asked: string) => "refuse" | "garble" | "hang" | "close" | null

export interface SocksParent extends AsyncDisposable {
  readonly address: string
  /** `host:port` as the clients named them, with the kind of address: `name secret.test:80`. */
  readonly asked: string[]
}

/** A SOCKS 5 proxy without a log-in that takes every name for this machine. */
export async function socksParent(script: SocksScript = () => null): Promise<SocksParent> {
  const asked: string[] = []
  const open = new Set<Socket>()
  const server = createServer(socket => {
    open.add(socket)
    socket.on("error", () => {}).on("close", () => void open.delete(socket))
    void serve(socket, asked, script).catch(() => socket.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", () => resolve()))
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise<void>(resolve => void server.close(() => resolve()))
    },
  }
}

async function serve(socket: Socket, asked: string[], script: SocksScript): Promise<void> {
  const raw = new RawSocket(socket)
  const take = async (count: number): Promise<Buffer> => Buffer.from(await raw.bytes(count), "latin1")
  const [, count] = await take(2)
  await take(count!)
  raw.send(Uint8Array.of(5, 0))
  const [, , , kind] = await take(4)
  const length = kind === 1 ? 4 : kind === 4 ? 16 : (await take(1))[0]!
  const address = await take(length)
  const port = (await take(2)).readUInt16BE()
  const name = `${kind === 3 ? `name ${address.toString("latin1")}` : `address ${kind}`}:${port}`
  asked.push(name)
  const how = script(socket, name)
  if (how === "hang") return
  if (how === "close") return void socket.destroy()
  if (how === "refuse") return raw.send(Uint8Array.of(5, 5, 0, 1, 0, 0, 0, 0, 0, 0))
  if (how === "garble") return raw.send("HTTP/1.1 200 OK\r\n\r\n")
  // The answer is a name, which is rare and right.
  raw.send(Uint8Array.of(5, 0, 0, 3, 1, 120, 0, 0))
  const onward = connect(port, "127.0.0.1")
  onward.on("error", () => socket.destroy()).on("close", () => socket.destroy())
  socket.on("close", () => onward.destroy())
  socket.removeAllListeners("data")
  socket.pipe(onward).pipe(socket)
}
