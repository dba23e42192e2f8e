import { connect } from "node:net"
import { readAnswers } from "./read-answers.ts"

// A closed loop of absolute-form requests over kept connections, in a process of its own: PORT TARGET LIMIT CONNECTIONS. The limit is a time, `2s`, or a
// number of answers. Prints how many came.
const [port, target, limit, connections] = process.argv.slice(2) as [string, string, string, string]
const request = `GET ${target} HTTP/1.1\r\nHost: ${new URL(target).host}\r\n\r\n`
const answersMax = limit.endsWith("s") ? Number.POSITIVE_INFINITY : Number(limit)
let count = 0
for (let i = 0; i < Number(connections); i++) open()
if (limit.endsWith("s")) setTimeout(finish, Number.parseFloat(limit) * 1000)

function finish(): void {
  console.log(`answered ${count}`)
  process.exit(0)
}

function open(): void {
  const socket = connect(Number(port), "127.0.0.1", () => socket.write(request))
  socket.on("error", fail)
  socket.on("close", () => fail(new Error("the proxy closed a kept connection")))
  const answered = (): void => {
    if (++count >= answersMax) finish()
    else socket.write(request)
  }
  socket.on("data", readAnswers(answered, fail))
}

function fail(error: Error): void {
  console.error(error.message)
  process.exit(1)
}
