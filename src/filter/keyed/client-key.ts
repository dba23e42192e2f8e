// HOT
import { formatIp, writeIp } from "../../base/index.ts"

const COLON = ":"
const REMEMBERED_MAX = 4096
const octets = new Uint8Array(16)
const networks = new Map<string, string>()

/**
 * What one client is in limits and bans: an IPv4 address, or the IPv6 network of 64 bits, which is what one site is given, as `2001:db8:1:2::/64`.
 * What is no address (the client of a Unix socket) stays as it is.
 */
export function clientKey(address: string): string {
  return address.includes(COLON) ? networkOf(address) : address
}

/** Addresses come again with every request of a connection, so what was found is kept for a while. */
function networkOf(address: string): string {
  const known = networks.get(address)
  if (known !== undefined) return known
  if (networks.size >= REMEMBERED_MAX) networks.clear()
  const network = readNetwork(address)
  networks.set(address, network)
  return network
}

function readNetwork(address: string): string {
  const zone = address.indexOf("%")
  if (writeIp(zone < 0 ? address : address.substring(0, zone), octets, 0) !== 16) return address
  const text = formatIp(octets, 0, 16)
  // An IPv4 address in IPv6's clothes.
  if (!text.includes(COLON)) return text
  octets.fill(0, 8)
  return `${formatIp(octets, 0, 16)}/64`
}
