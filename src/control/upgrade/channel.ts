import { connect, type Socket } from "node:net"

/** From the process that takes over. */
export type FromSuccessor =
  /** All its workers serve. `taken`: the addresses that it accepts from; `admin`: it has the admin listener as well. */
  | { readonly type: "ready"; readonly version: string; readonly taken: readonly string[]; readonly admin: boolean }
  /** It ends; `code` is what with. */
  | { readonly type: "failed"; readonly code: number; readonly reason: string }

const LINE_MAX = 1024 * 1024

/**
 * Lines of JSON from the process that takes over to the other one, which may be of another version: what one does not know it ignores. That the other end
 * is closed says that its process holds nothing any more.
 */
export class Channel {
  readonly #socket: Socket
  #closed = false

  /** `ended`: the other process is gone, or has closed its end. */
  constructor(fd: number, heard: (message: FromSuccessor) => void, ended: () => void) {
    // The runtime's types do not know that a descriptor can be given.
    this.#socket = connect({ fd } as never)
    let text = ""
    this.#socket.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (text + chunk).split("\n")
      text = lines.pop()!.slice(-LINE_MAX)
      for (const line of lines) {
        const message = parse(line)
        if (message !== null) heard(message)
      }
    })
    this.#socket.on("error", () => {})
    this.#socket.once("close", () => {
      if (!this.#closed) ended()
    })
  }

  send(message: FromSuccessor): void {
    if (!this.#closed) this.#socket.write(`${JSON.stringify(message)}\n`)
  }

  /** Does not keep the process. */
  unref(): void {
    this.#socket.unref()
  }

  /** What was sent still goes. */
  close(): void {
    this.#closed = true
    this.#socket.end()
    this.unref()
  }
}

function parse(line: string): FromSuccessor | null {
  try {
    const value = JSON.parse(line) as { type?: unknown } | null
    return typeof value?.type === "string" ? (value as FromSuccessor) : null
  } catch {
    return null
  }
}
