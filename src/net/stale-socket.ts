import type { UnixAddress } from "../base/index.ts"
import { lstatSync, unlinkSync } from "node:fs"
import { ListenError } from "./listen-error.ts"

/**
 * Makes way for a Unix socket: a file that a dead program left behind is removed, one that somebody answers on is not, and nothing that is no socket ever is.
 * Throws ListenError when the path is taken.
 */
export function clearStaleSocket(bind: UnixAddress): void {
  const stat = lstatSync(bind.path, { throwIfNoEntry: false })
  if (stat === undefined) return
  if (!stat.isSocket()) throw new ListenError(bind, "ENOTSOCK")
  if (!isDead(bind.path)) throw new ListenError(bind, "EADDRINUSE")
  unlinkSync(bind.path)
}

/** Nobody listens. The refusal of a local connection is known at once, so the runtime reports it before `connect` returns; anything else is doubt. */
function isDead(path: string): boolean {
  let refused = false
  const socket = {
    open(wire: { terminate(): void }): void {
      wire.terminate()
    },
    data(): void {},
    connectError(_wire: unknown, error: Error & { code?: string }): void {
      refused = error.code === "ECONNREFUSED"
    },
  }
  void Bun.connect({ unix: path, socket } as never)
  return refused
}
