import { createServer, type ListenOptions, connect } from "node:net"
import { lstatSync, unlinkSync } from "node:fs"
import type { BindConfig } from "../config/index.ts"

/** Says why an address cannot be bound now; "" = it can. A Unix socket that nobody listens on any more is removed. */
export async function probeBind(bind: BindConfig): Promise<string> {
  if ("path" in bind) return probeUnix(bind.path)
  if (bind.port === 0) return ""
  return probe({ ...(bind.host === "" ? {} : { host: bind.host }), port: bind.port, exclusive: true })
}

async function probeUnix(path: string): Promise<string> {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return probe({ path })
  if (!stat.isSocket()) return "is a file and not a socket"
  if (await answers(path)) return "is in use"
  unlinkSync(path)
  return ""
}

function probe(options: ListenOptions): Promise<string> {
  return new Promise(resolve => {
    const server = createServer()
    server.once("error", (error: NodeJS.ErrnoException) => resolve(reasonOf(error)))
    server.listen(options, () => server.close(() => resolve("")))
  })
}

function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path)
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })
}

function reasonOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "EADDRINUSE":
      return "is in use"
    case "EACCES":
      return "may not be bound by this user"
    case "EADDRNOTAVAIL":
      return "is no address of this machine"
    case "ENOTFOUND":
      return "does not resolve"
    default:
      return `cannot be bound (${error.code ?? error.message})`
  }
}
