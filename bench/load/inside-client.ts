import { connect, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"

// A closed loop over kept TLS connections, in a process of its own: PORT HOST:PORT|- PATH ANSWERS CONNECTIONS. With HOST:PORT each connection is a tunnel that
// a proxy gives, else it goes to PORT itself. Any certificate will do. Prints how many answers came.
const [port, target, path, answers, connections] = process.argv.slice(2) as [string, string, string, string, string]
const host = target === "-" ? `localhost:${port}` : target
const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`
const answersMax = Number(answers)
let answered = 0
for (let i = 0; i < Number(connections); i++) open()

function open(): void {
  const socket = connect(Number(port), "127.0.0.1", () => {
    if (target === "-") return speak(socket)
    socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`)
    socket.once("data", () => speak(socket))
  })
  socket.on("error", fail)
}

function speak(socket: Socket): void {
  const secured = connectTls({ socket, servername: "localhost", rejectUnauthorized: false }, () => secured.write(request))
  let head = ""
  let left = -1
  secured.on("error", fail)
  secured.on("close", () => fail(new Error("a kept connection was closed")))
  secured.on("data", (chunk: Buffer) => {
    let bodyStart = 0
    if (left < 0) {
      head += chunk.toString("latin1")
      const end = head.indexOf("\r\n\r\n")
      if (end < 0) return
      if (!head.startsWith("HTTP/1.1 200 ")) return fail(new Error(head))
      left = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1])
      bodyStart = chunk.length - (head.length - end - 4)
      head = ""
    }
    left -= chunk.length - bodyStart
    if (left > 0) return
    left = -1
    if (++answered >= answersMax) {
      console.log(`answered ${answered}`)
      process.exit(0)
    }
    secured.write(request)
  })
}

function fail(error: Error): void {
  console.error(error.message)
  process.exit(1)
}
