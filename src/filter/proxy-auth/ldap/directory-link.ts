import type { Socket } from "node:net"
import { Client, type Entry, ResultCodeError, type SearchOptions } from "ldapts"
import { type DirectoryAddress, DirectoryUnreachable, openDirectory } from "./directory-socket.ts"

/** Nobody uses it for so long: it is closed. */
const IDLE_MS = 30_000
/** Octets of all answers about one user; the library keeps what it has not read yet. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024

/**
 * Result codes with which a directory refuses a name and a password (RFC 4511 appendix A): no such object, invalid name, inappropriate authentication,
 * invalid credentials, insufficient rights, constraint violation (a locked account), unwilling to perform. Others say that it cannot decide.
 */
const REFUSALS = new Set([19, 32, 34, 48, 49, 50, 53])

/** One connection to a directory. Never opened anew by itself: what is lost is lost, and the next check opens another. */
export class DirectoryLink {
  private readonly client: Client
  private readonly socket: Socket
  private readonly closed: (link: DirectoryLink) => void
  private timer: ReturnType<typeof setTimeout> | null = null
  /** It has answered before: a fault now may only mean that the server had closed it. */
  wasUsed = false
  private answerBytes = 0

  private constructor(socket: Socket, timeoutMs: number, closed: (link: DirectoryLink) => void) {
    this.socket = socket
    this.closed = closed
    let given = false
    const giveOnce = (): Socket => {
      if (given) throw new DirectoryUnreachable("the connection was lost")
      given = true
      return socket
    }
    // The scheme says nothing here: the connection is there, with its TLS.
    this.client = new Client({ url: "ldap://directory", timeout: timeoutMs, createConnection: giveOnce as never })
    socket.once("close", () => this.close())
    socket.on("data", (chunk: Buffer) => {
      this.answerBytes += chunk.length
      if (this.answerBytes > ANSWER_BYTES_MAX) socket.destroy()
    })
  }

  /** `closed` is called when it ends, whoever ends it. Rejects with DirectoryUnreachable. */
  static async open(
    address: DirectoryAddress,
    times: { readonly connectMs: number; readonly answerMs: number },
    closed: (link: DirectoryLink) => void,
  ) {
    return new DirectoryLink(await openDirectory(address, times.connectMs), times.answerMs, closed)
  }

  get isOpen(): boolean {
    return !this.socket.destroyed && this.socket.readyState === "open"
  }

  /** Whether the directory takes this name with this password. An empty name and password: nobody in particular. Rejects when it does not say. */
  async bind(dn: string, password: string): Promise<boolean> {
    // A name without a password would be taken for anybody (RFC 4513 section 5.1.2).
    if (dn !== "" && password === "") return false
    try {
      await this.client.bind(dn, password)
      return true
    } catch (error) {
      if (error instanceof ResultCodeError && REFUSALS.has(error.code)) return false
      throw error
    }
  }

  /** Entries below a base; none where there is no such base. Rejects when the directory does not say. */
  async search(base: string, options: SearchOptions): Promise<Entry[]> {
    try {
      return (await this.client.search(base, { derefAliases: "never", ...options })).searchEntries
    } catch (error) {
      if (error instanceof ResultCodeError && error.code === 32) return []
      throw error
    }
  }

  /** Nobody uses it for now. The timer ends with the connection, so that of a filter that is gone nothing stays. */
  rest(): void {
    this.wasUsed = true
    this.timer = setTimeout(() => this.close(), IDLE_MS)
    this.timer.unref()
  }

  wake(): void {
    this.answerBytes = 0
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
  }

  close(): void {
    this.wake()
    this.closed(this)
    if (!this.socket.destroyed) this.client.unbind().catch(() => this.socket.destroy())
  }
}
