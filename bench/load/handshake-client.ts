import { connect } from "node:tls"

// Full TLS handshakes, 16 at a time, in a process of its own: PORT COUNT. Prints how many were made.
const [port, count] = process.argv.slice(2).map(Number) as [number, number]
let begun = 0
let made = 0
for (let i = 0; i < 16; i++) next()

function next(): void {
  if (begun++ >= count) return
  const socket = connect({ port, host: "127.0.0.1", servername: "localhost", rejectUnauthorized: false }, () => {
    socket.destroy()
    if (++made === count) {
      console.log(`answered ${made}`)
      process.exit(0)
    }
    next()
  })
  socket.on("error", error => {
    console.error(error.message)
    process.exit(1)
  })
}
