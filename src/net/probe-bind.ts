import type { Address } from "../base/index.ts"
import { errorName, hasLibc, tryBind } from "./libc.ts"
import { ListenError } from "./listen-error.ts"
import { openListener } from "./native-listener.ts"

/**
 * Takes an address for oneself and gives it back, to learn whether it can be had before several workers share it: a shared port would be taken in spite of
 * another program that shares it too. Where the system lets us, nothing listens meanwhile: whoever waits for the port would take the probe for the proxy.
 * Throws ListenError. Answers the port, which matters when the system picked it; 0 on a Unix socket.
 */
export function probeBind(bind: Address): number {
  if ("path" in bind || !hasLibc) return probeByListening(bind)
  let port = tryBind(bind.host, bind.port)
  if (port < 0 && bind.host === "" && errorName(-port) === "EAFNOSUPPORT") port = tryBind("0.0.0.0", bind.port)
  if (port < 0) throw new ListenError(bind, errorName(-port))
  return port
}

function probeByListening(bind: Address): number {
  const { native, file } = openListener({ bind, backlog: 1 }, { socket: { data(): void {} } })
  const port = native.port ?? 0
  native.stop(true)
  file?.remove()
  return port
}
