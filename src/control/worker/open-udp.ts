import type { ListenerConfig } from "../../config/index.ts"
import { type ConnectionLimits, listenUdp } from "../../net/index.ts"
import type { ListenerRuntime } from "./listener-runtime.ts"

/** Binds the ports of a UDP listener, each beside those of the other workers. They take clients when the listener goes live. */
export function openUdp(runtime: ListenerRuntime, { bind }: ListenerConfig, limits: ConnectionLimits | null): Promise<void>[] {
  return bind.map(async at => {
    if ("path" in at) throw new Error("a UDP listener has no Unix socket")
    runtime.udp.push(await listenUdp({ bind: at, reusePort: true, limits }, runtime))
  })
}
