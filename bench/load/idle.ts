import { connect, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import { pause } from "../../test/support/wait.ts"
import { residentBytes } from "../cpu.ts"

const request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

/** Memory of the process tree, in octets a connection, for `count` connections that have had one answer each and then wait. */
export async function idleBytes(pid: number, port: number, secure: boolean, count = 4000): Promise<number> {
  // Tables that are made for the first connections, however many follow, are no connection's own.
  const sockets = await openMany(port, secure, 200)
  const before = residentBytes(pid)
  sockets.push(...(await openMany(port, secure, count)))
  await pause(3000)
  const each = (residentBytes(pid) - before) / count
  for (const socket of sockets) socket.destroy()
  return each
}

async function openMany(port: number, secure: boolean, count: number): Promise<Socket[]> {
  const sockets: Socket[] = []
  while (sockets.length < count) sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => openIdle(port, secure)))))
  return sockets
}

function openIdle(port: number, secure: boolean): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const target = { port, host: "127.0.0.1" }
    const socket = secure ? connectTls({ ...target, servername: "localhost", rejectUnauthorized: false }) : connect(target)
    socket.once("error", reject)
    socket.once(secure ? "secureConnect" : "connect", () => socket.write(request))
    socket.once("data", () => resolve(socket))
  })
}
