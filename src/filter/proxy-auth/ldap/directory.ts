import { ResultCodeError } from "ldapts"
import { log, LogLimit } from "../../../base/index.ts"
import { DirectoryLink } from "./directory-link.ts"
import { type DirectoryAddress, DirectoryUnreachable } from "./directory-socket.ts"

/** A server that could not be had is left alone for so long, as long as there is another. */
const DOWN_MS = 10_000

export interface DirectoryTimes {
  readonly connectMs: number
  readonly answerMs: number
}

interface Server {
  readonly name: string
  readonly address: DirectoryAddress
  downUntilMs: number
  readonly idle: DirectoryLink[]
}

/** Several servers with the same content: the first that can be had is asked. Keeps the connections that nobody uses for a while. */
export class Directory {
  private readonly servers: readonly Server[]
  private readonly times: DirectoryTimes
  private readonly told = new LogLimit(3)

  constructor(addresses: readonly { readonly name: string; readonly address: DirectoryAddress }[], times: DirectoryTimes) {
    this.servers = addresses.map(({ name, address }) => ({ name, address, downUntilMs: 0, idle: [] }))
    this.times = times
  }

  /** Does `work` on a connection, on the next server's when there is none or it breaks. Rejects with the last trouble. */
  async use<Result>(work: (link: DirectoryLink) => Promise<Result>): Promise<Result> {
    let last: unknown = new DirectoryUnreachable("no server")
    for (const server of this.inOrder()) {
      try {
        return await this.useServer(server, work)
      } catch (error) {
        last = error
        server.downUntilMs = Date.now() + DOWN_MS
        this.tell(server, error)
      }
    }
    throw last
  }

  /** Those that are down come last. */
  private inOrder(): readonly Server[] {
    const now = Date.now()
    const isUp = (server: Server): boolean => server.downUntilMs <= now
    return [...this.servers.filter(isUp), ...this.servers.filter(server => !isUp(server))]
  }

  private async useServer<Result>(server: Server, work: (link: DirectoryLink) => Promise<Result>): Promise<Result> {
    for (;;) {
      const link = await this.linkTo(server)
      try {
        const result = await work(link)
        server.downUntilMs = 0
        this.putBack(server, link)
        return result
      } catch (error) {
        const { wasUsed } = link
        link.close()
        // The server may have closed it, and others with it, while they lay idle: a new one says.
        if (!wasUsed) throw error
        for (const idle of [...server.idle]) idle.close()
      }
    }
  }

  private linkTo(server: Server): Promise<DirectoryLink> | DirectoryLink {
    for (;;) {
      const idle = server.idle.pop()
      if (idle === undefined) break
      idle.wake()
      if (idle.isOpen) return idle
      idle.close()
    }
    return DirectoryLink.open(server.address, this.times, link => {
      const at = server.idle.indexOf(link)
      if (at >= 0) server.idle.splice(at, 1)
    })
  }

  private putBack(server: Server, link: DirectoryLink): void {
    if (!link.isOpen) return
    link.rest()
    server.idle.push(link)
  }

  private tell({ name }: Server, error: unknown): void {
    const reason =
      error instanceof ResultCodeError ? `result code ${error.code}, ${error.name}` : error instanceof Error ? error.message : String(error)
    if (this.told.admit(name, Date.now()) >= 0) log.warn("filter", "a directory server did not answer", { server: name, reason })
  }
}
