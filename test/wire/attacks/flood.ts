// Run as a program of its own: `flood.ts PORT FROM COUNT [HEX]`. Opens COUNT connections from FROM to 127.0.0.1:PORT as fast as they go, sends HEX on each, keeps
// those that it is left, and says on standard output how many were opened, refused and cut.
import { connect } from "node:net"

const [port, from, total, hex = ""] = process.argv.slice(2)
const first = Buffer.from(hex, "hex")
/** On their way at the same time. */
const PENDING_MAX = 500
const counts = { opened: 0, failed: 0, closed: 0 }
let begun = 0
let pending = 0

function more(): void {
  while (begun < Number(total) && pending < PENDING_MAX) open()
  if (begun === Number(total) && pending === 0) console.log(JSON.stringify(counts))
}

function open(): void {
  begun++
  pending++
  let standing = false
  const socket = connect({ port: Number(port), host: "127.0.0.1", localAddress: from! })
  const settled = (): void => {
    pending--
    more()
  }
  socket.once("connect", () => {
    standing = true
    counts.opened++
    if (first.length > 0) socket.write(first)
    settled()
  })
  socket.on("error", () => {})
  socket.on("data", () => {})
  socket.once("close", () => {
    if (standing) counts.closed++
    else {
      counts.failed++
      settled()
    }
  })
}

more()
// Stays with what it holds until it is ended.
setInterval(() => {}, 1000)
