import { connect } from "node:net"

// A closed loop of absolute-form requests over kept connections, in a process of its own: PORT TARGET SECONDS CONNECTIONS. Prints how many were answered.
const [port, target, seconds, connections] = process.argv.slice(2) as [string, string, string, string]
const request = `GET ${target} HTTP/1.1\r\nHost: ${new URL(target).host}\r\n\r\n`
let answered = 0
for (let i = 0; i < Number(connections); i++) open()
setTimeout(() => {
  console.log(`answered ${answered}`)
  process.exit(0)
}, Number(seconds) * 1000)

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
    answered++
    socket.write(request)
  })
}

function fail(error: Error): void {
  console.error(error.message)
  process.exit(1)
}
