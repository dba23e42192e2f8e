import { CidrSet } from "./cidr.ts"

/** A range that is closed to forward clients, with its name and where that is written. */
export type PrivateRange = readonly [cidr: string, name: string, source: string]

/**
 * The special-purpose ranges of the IANA IPv4 and IPv6 registries (RFC 6890) that are not, or not everywhere, reachable as a public server is, and the
 * blocks of RFC 4291 beside them. Rows that the registries call globally reachable (AS112, AMT) are left out, except where they lie in a closed block.
 * 64:ff9b::/96, 2002::/16 and 2001::/32 are open or closed by the IPv4 address that they carry.
 */
export const privateRangeTable: readonly PrivateRange[] = [
  ["0.0.0.0/8", "this network", "RFC 791"],
  ["10.0.0.0/8", "private use", "RFC 1918"],
  ["100.64.0.0/10", "shared address space (carrier NAT)", "RFC 6598"],
  ["127.0.0.0/8", "loopback", "RFC 1122"],
  ["168.63.129.16/32", "the host of a virtual machine in Azure", "Azure documentation, What is IP address 168.63.129.16"],
  ["169.254.0.0/16", "link-local, with the metadata services of clouds", "RFC 3927"],
  ["172.16.0.0/12", "private use", "RFC 1918"],
  ["192.0.0.0/24", "IETF protocol assignments", "RFC 6890"],
  ["192.0.2.0/24", "documentation (TEST-NET-1)", "RFC 5737"],
  ["192.88.99.0/24", "6to4 relay anycast", "RFC 7526"],
  ["192.168.0.0/16", "private use", "RFC 1918"],
  ["198.18.0.0/15", "benchmarking", "RFC 2544"],
  ["198.51.100.0/24", "documentation (TEST-NET-2)", "RFC 5737"],
  ["203.0.113.0/24", "documentation (TEST-NET-3)", "RFC 5737"],
  ["224.0.0.0/4", "multicast", "RFC 5771"],
  ["240.0.0.0/4", "reserved, with the limited broadcast", "RFC 1112"],
  ["::/96", "unspecified, loopback and IPv4-compatible", "RFC 4291"],
  ["::ffff:0:0:0/96", "IPv4-translated", "RFC 2765"],
  ["64:ff9b:1::/48", "local IPv4/IPv6 translation", "RFC 8215"],
  ["100::/64", "discard only", "RFC 6666"],
  ["100:0:0:1::/64", "dummy prefix", "RFC 9780"],
  // 2001::/23 without Teredo
  ["2001:1::/32", "IETF protocol assignments", "RFC 2928"],
  ["2001:2::/31", "IETF protocol assignments, with benchmarking", "RFC 2928"],
  ["2001:4::/30", "IETF protocol assignments", "RFC 2928"],
  ["2001:8::/29", "IETF protocol assignments", "RFC 2928"],
  ["2001:10::/28", "IETF protocol assignments, ORCHID", "RFC 2928"],
  ["2001:20::/27", "IETF protocol assignments, with ORCHIDv2 and drone identifiers", "RFC 2928"],
  ["2001:40::/26", "IETF protocol assignments", "RFC 2928"],
  ["2001:80::/25", "IETF protocol assignments", "RFC 2928"],
  ["2001:100::/24", "IETF protocol assignments", "RFC 2928"],
  ["2001:db8::/32", "documentation", "RFC 3849"],
  ["3fff::/20", "documentation", "RFC 9637"],
  ["5f00::/16", "segment routing identifiers", "RFC 9602"],
  ["fc00::/7", "unique local", "RFC 4193"],
  ["fe80::/10", "link-local", "RFC 4291"],
  ["fec0::/10", "site-local", "RFC 3879"],
  ["ff00::/8", "multicast", "RFC 4291"],
]

/** Everything that is closed to forward clients unless the operator opens it. Closing (see CidrOptions): text that is no address counts as closed. */
export const PRIVATE_RANGES: CidrSet = CidrSet.parse(
  privateRangeTable.map(([cidr]) => cidr),
  { closing: true },
)
