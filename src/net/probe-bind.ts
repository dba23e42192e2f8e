import type { Address } from "../base/index.ts"
import { openListener } from "./native-listener.ts"

/**
 * Takes an address for oneself and gives it back, to learn whether it can be had before several workers share it: a shared port would be taken in spite of
 * another program that shares it too. Throws ListenError. Answers the port, which matters when the system picked it; 0 on a Unix socket.
 */
export function probeBind(bind: Address): number {
  const listener = openListener({ bind, backlog: 1 }, { socket: { data(): void {} } })
  const port = listener.port ?? 0
  listener.stop(true)
  return port
}
