import type { ListenerConfig } from "../schema.ts"

/** Listeners that carry no HTTP, and the clusters that they can use. */
export function rawProtocolOf({ tcp, udp }: Pick<ListenerConfig, "tcp" | "udp">): "tcp" | "udp" | null {
  return tcp !== null ? "tcp" : udp !== null ? "udp" : null
}
