import type { ListenerConfig } from "../../config/index.ts"
import { takesPasswords, takesSilent } from "../../filter/index.ts"
import type { SocksOptions } from "../../http/index.ts"

/** How a listener takes SOCKS clients; null = it takes none. */
export function socksOptionsOf({ forward }: ListenerConfig): SocksOptions | null {
  // Who was brought here without its knowledge speaks to somebody else.
  if (forward === null || forward.socks === null || forward.transparent !== null) return null
  const { versions, only, bind, udp } = forward.socks
  return {
    v4: versions.includes(4),
    v5: versions.includes(5),
    only,
    passwords: forward.auth !== null && takesPasswords(forward.auth),
    silent: forward.auth !== null && takesSilent(forward.auth),
    bind: bind !== null,
    udp: udp === null ? null : { idleMs: udp.idle, targetsMax: udp.targetsMax, address: udp.address },
  }
}
