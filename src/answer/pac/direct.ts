import { hostNameFault } from "../../base/index.ts"

/** What clients reach by themselves, sorted by how a PAC file tells it. */
export interface Direct {
  readonly names: string[]
  readonly ranges: (readonly [from: number, to: number])[]
  readonly prefixes: string[]
}

/** Names, `*.name`, addresses and ranges. IPv6 ranges end between two groups, as a file can compare text only. null = one of them is none of these. */
export function directOf(entries: readonly string[]): Direct | null {
  const direct: Direct = { names: [], ranges: [], prefixes: [] }
  for (const entry of entries) if (!add(direct, entry.toLowerCase())) return null
  return direct
}

function add(direct: Direct, entry: string): boolean {
  const [address = "", bits] = entry.split("/")
  const octets = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address)
  if (octets !== null) return addRange(direct, octets.slice(1).map(Number), bits === undefined ? 32 : Number(bits))
  if (address.includes(":")) return addPrefix(direct, address, bits === undefined ? 128 : Number(bits))
  const name = entry.replace(/^\*?\./, "").replace(/\.$/, "")
  if (bits !== undefined || hostNameFault(name) !== null) return false
  direct.names.push(name)
  return true
}

function addRange(direct: Direct, octets: number[], bits: number): boolean {
  if (octets.some(octet => octet > 255) || !(bits >= 0 && bits <= 32)) return false
  const address = octets.reduce((sum, octet) => sum * 256 + octet, 0)
  const size = 2 ** (32 - bits)
  const from = Math.floor(address / size) * size
  direct.ranges.push([from, from + size - 1])
  return true
}

/** `fd00::/8` is what begins with "fd", `fe80::/16` what begins with "fe80:", `::1/128` itself. */
function addPrefix(direct: Direct, address: string, bits: number): boolean {
  if (!/^[0-9a-f:]+$/.test(address) || !(bits >= 0 && bits <= 128)) return false
  if (bits === 128) {
    direct.prefixes.push(address)
    return true
  }
  const [first = ""] = address.split("::")
  const groups = first.split(":").filter(group => group !== "")
  if (bits === 8 && groups.length === 1) direct.prefixes.push(groups[0]!.slice(0, 2))
  else if (bits % 16 === 0 && bits / 16 === groups.length) direct.prefixes.push(`${groups.join(":")}:`)
  else return false
  return true
}
