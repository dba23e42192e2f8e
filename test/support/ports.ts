import { createServer } from "node:net"

// Below the range that the kernel takes for outgoing connections, so that no client can sit on a port between our look and its use.
const lowest = 11000
const highest = 31000
const given = new Set<number>()

/** A TCP port that nothing listens on, on any address of this machine; never the same twice in one process. */
export async function freePort(): Promise<number> {
  while (true) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest))
    if (given.has(port)) continue
    given.add(port)
    if (await canBind(port)) return port
  }
}

export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) ports.push(await freePort())
  return ports
}

function canBind(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen({ port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}
