import { connect } from "node:net"

// A closed loop of absolute-form requests over kept connections, in a process of its own: PORT TARGET LIMIT CONNECTIONS. The limit is a time, `2s`, or a
// number of answers. Prints how many came.
const [port, target, limit, connections] = process.argv.slice(2) as [string, string, string, string]
const request = `GET ${target} HTTP/1.1\r\nHost: ${new URL(target).host}\r\n\r\n`
const answersMax = limit.endsWith("s") ? Number.POSITIVE_INFINITY : Number(limit)
let answered = 0
for (let i = 0; i < Number(connections); i++) open()
if (limit.endsWith("s")) setTimeout(finish, Number.parseFloat(limit) * 1000)

function finish(): void {
  console.log(`answered ${answered}`)
  process.exit(0)
}

function open(): void {
  const socket = connect(Number(port), "127.0.0.1", () => socket.write(request))
  let head = ""
  let left = -1
  socket.on("error", fail)
  socket.on("close", () => fail(new Error("the proxy closed a kept connection")))
  socket.on("data", (chunk: Buffer) => {
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
    if (++answered >= answersMax) return finish()
    socket.write(request)
  })
}

function fail(error: Error): void {
  console.error(error.message)
  process.exit(1)
}
