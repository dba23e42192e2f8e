import { createSocket } from "node:dgram"
import { readFileSync } from "node:fs"
import { connect, createServer } from "node:net"

// The world outside, as one program: it tells on standard output who called. Arguments: certificate, key.
const [cert, key] = process.argv.slice(2) as [string, string]
const tell = (...words: unknown[]): void => console.log(words.join(" "))

Bun.serve({
  port: 80,
  hostname: "::",
  fetch: (request, server) => new Response(`http ${request.headers.get("host")} from ${plain(server.requestIP(request)?.address)}\n`),
})
Bun.serve({
  port: 443,
  hostname: "::",
  tls: { cert: readFileSync(cert), key: readFileSync(key) },
  fetch: request => new Response(`tls ${request.headers.get("host")}\n`),
})
// Speaks first, as SSH, SMTP and many databases do.
Bun.listen({
  port: 2525,
  hostname: "::",
  socket: {
    open(socket): void {
      socket.write("220 outside\r\n")
    },
    data(socket, octets): void {
      socket.write(octets)
    },
  },
})
// A parent proxy: it tells what it is asked for, and knows every name as this machine.
createServer(socket => {
  socket
    .on("error", () => {})
    .once("data", head => {
      const [method, target = ""] = String(head).split(" ")
      tell("asked", method, target)
      if (method !== "CONNECT") return void socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nexit ${new URL(target).host}\n`)
      const way = connect(Number(target.split(":").at(-1)), "127.0.0.1", () => void socket.write("HTTP/1.1 200 OK\r\n\r\n"))
      way
        .on("error", () => socket.destroy())
        .pipe(socket)
        .pipe(way)
    })
}).listen(3128, "::")
// Never in use by captured clients: each call is a leak.
Bun.listen({
  port: 9999,
  hostname: "::",
  socket: {
    open(socket): void {
      tell("leak tcp", plain(socket.remoteAddress))
    },
    data(): void {},
  },
})
for (const port of [53, 443, 5353]) {
  const socket = createSocket({ type: "udp6", ipv6Only: false })
  socket.on("message", (_octets, sender) => tell("leak udp", port, plain(sender.address)))
  socket.bind(port, "::", () => port === 5353 && tell("ready"))
}

function plain(address: string | undefined): string {
  return (address ?? "").replace("::ffff:", "")
}
