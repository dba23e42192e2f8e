import { interleave, type ResolvedAddress } from "./address-order.ts"

/** What `localhost` means when the hosts file does not say. */
export const loopbackAddresses: readonly ResolvedAddress[] = interleave(["::1", "127.0.0.1"])

/**
 * Names that no name server may be asked for: `localhost` and below is this machine (RFC 6761 section 6.3), `invalid` and below never exists
 * (section 6.4), and `onion` and below would tell a server what it must not know (RFC 7686 section 2). `name` in lower case, no final dot.
 */
export function specialName(name: string): "loopback" | "no-name" | null {
  const top = name.slice(name.lastIndexOf(".") + 1)
  if (top === "localhost") return "loopback"
  return top === "invalid" || top === "onion" ? "no-name" : null
}
