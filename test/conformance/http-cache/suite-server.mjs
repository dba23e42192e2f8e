// The suite's origin on a port of 127.0.0.1 that the system picks; prints the port. Argument: the folder of the suite's engine.
import { createServer } from "node:http"
import { join } from "node:path"

const engine = process.argv[2]
const bring = async name => (await import(join(engine, "server", `handle-${name}.mjs`))).default
const handlers = { config: await bring("config"), state: await bring("state"), test: await bring("test") }

const server = createServer((request, response) => {
  const [, kind, ...segments] = new URL(request.url, "http://localhost/").pathname.split("/")
  const handle = handlers[kind]
  if (handle) return handle(segments, request, response)
  response.writeHead(404).end()
})
// A proxy's connection that waits through a pause of the suite is not to end under its next request.
server.keepAliveTimeout = 60_000
server.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`))
