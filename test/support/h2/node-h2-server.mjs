// A server of node:http2, for either runtime. Arguments: port, and the files of certificate and key for TLS. Prints "ready".
//   /echo     the request's body, and its trailers as the response's
//   /hints    103 before the answer
//   /big/N    N octets
//   /reset    RST_STREAM with CANCEL
//   /goaway   answers, and sends GOAWAY
//   other     "hello from node"
import { readFileSync } from "node:fs"
import { createSecureServer, createServer } from "node:http2"

const [port, cert, key] = process.argv.slice(2)
const settings = { maxConcurrentStreams: 100, enableConnectProtocol: true }
const server = cert ? createSecureServer({ settings, cert: readFileSync(cert), key: readFileSync(key) }) : createServer({ settings })

server.on("stream", (stream, headers) => {
  stream.on("error", () => {})
  const path = headers[":path"]
  if (path === "/echo") return echo(stream)
  if (path === "/reset") return stream.close(8)
  if (path === "/goaway") stream.session.goaway(0)
  if (path === "/hints") stream.additionalHeaders({ ":status": 103, link: "</a.css>; rel=preload" })
  stream.respond({ ":status": 200, "x-method": headers[":method"], "set-cookie": ["a=1", "b=2"] })
  const size = /^\/big\/(\d+)$/.exec(path)?.[1]
  stream.end(size === undefined ? "hello from node" : Buffer.alloc(Number(size), "x"))
})
server.on("sessionError", () => {})

function echo(stream) {
  let trailers = {}
  stream.on("trailers", fields => {
    trailers = { ...fields }
  })
  const chunks = []
  stream.on("data", chunk => chunks.push(chunk))
  stream.on("end", () => {
    if (stream.destroyed || stream.aborted) return
    stream.respond({ ":status": 200 }, { waitForTrailers: true })
    stream.on("wantTrailers", () => stream.sendTrailers(trailers))
    stream.end(Buffer.concat(chunks))
  })
}

server.listen(Number(port), "127.0.0.1", () => console.log("ready"))
