import { connect, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import { readAnswers } from "./read-answers.ts"

// A closed loop over kept TLS connections, in a process of its own: PORT HOST:PORT|- PATH ANSWERS CONNECTIONS. With HOST:PORT each connection is a tunnel that
// a proxy gives, else it goes to PORT itself. Any certificate will do. Prints how many answers came.
const [port, target, path, answers, connections] = process.argv.slice(2) as [string, string, string, string, string]
const host = target === "-" ? `localhost:${port}` : target
const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`
const answersMax = Number(answers)
let count = 0
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
  secured.on("error", fail)
  secured.on("close", () => fail(new Error("a kept connection was closed")))
  const answered = (): void => {
    if (++count >= answersMax) {
      console.log(`answered ${count}`)
      process.exit(0)
    }
    secured.write(request)
  }
  secured.on("data", readAnswers(answered, fail))
}

function fail(error: Error): void {
  console.error(error.message)
  process.exit(1)
}
