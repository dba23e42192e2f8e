import { connect, type Socket } from "node:net"

/** From the process that takes over. */
export type FromSuccessor =
  /** It needs the disks of the caches now; answered by `disks-free`. */
  | { readonly type: "disks" }
  /** All its workers serve. `taken`: the addresses that it accepts from; `admin`: it has the admin listener as well. */
  | { readonly type: "ready"; readonly version: string; readonly taken: readonly string[]; readonly admin: boolean }
  /** It ends; `code` is what with. */
  | { readonly type: "failed"; readonly code: number; readonly reason: string }

/** From the process that hands over. */
export type FromPredecessor = { readonly type: "disks-free" }

const LINE_MAX = 1024 * 1024

/** Lines of JSON between the two processes of an upgrade, which may be of different versions: what one does not know it ignores. */
export class Channel<In extends { type: string }, Out extends { type: string }> {
  readonly #socket: Socket
  #closed = false

  /** `ended`: the other process is gone, or has closed its end. */
  constructor(fd: number, heard: (message: In) => void, ended: () => void) {
    // The runtime's types do not know that a descriptor can be given.
    this.#socket = connect({ fd } as never)
    let text = ""
    this.#socket.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (text + chunk).split("\n")
      text = lines.pop()!.slice(-LINE_MAX)
      for (const line of lines) {
        const message = parse(line)
        if (message !== null) heard(message as In)
      }
    })
    this.#socket.on("error", () => {})
    this.#socket.once("close", () => {
      if (!this.#closed) ended()
    })
  }

  send(message: Out): void {
    if (!this.#closed) this.#socket.write(`${JSON.stringify(message)}\n`)
  }

  /** What was sent still goes. */
  close(): void {
    this.#closed = true
    this.#socket.end()
    this.#socket.unref()
  }
}

function parse(line: string): { type: string } | null {
  try {
    const value = JSON.parse(line) as { type?: unknown } | null
    return typeof value?.type === "string" ? (value as { type: string }) : null
  } catch {
    return null
  }
}
