import { readFileSync } from "node:fs"
import { captureOwner } from "../capture/capture-kernel.ts"

/** What this machine says of itself. */
export interface Surroundings {
  /** Name servers that programs ask, out of resolv.conf. */
  readonly nameServers: readonly string[]
  /** Interfaces with a default route of IPv6. */
  readonly ipv6Routes: readonly string[]
  /** The caller's environment. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Our rules of nftables: in force, not, or not ours to see. */
  readonly rules: "there" | "none" | "unknown"
}

export function surroundings(env: Surroundings["env"]): Surroundings {
  return { nameServers: nameServersOf(textOf("/etc/resolv.conf")), ipv6Routes: defaultRoutes(textOf("/proc/net/ipv6_route")), env, rules: rulesOf() }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

export function nameServersOf(resolvConf: string): string[] {
  return [...resolvConf.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].map(match => match[1]!)
}

/** Interfaces of routes to ::/0 that lead somewhere. A line: destination, prefix length, source, its length, next hop, metric, two counts, flags, interface. */
export function defaultRoutes(table: string): string[] {
  const found = table.split("\n").flatMap(line => {
    const [destination, length, , , , , , , flags, name] = line.trim().split(/\s+/)
    const rejects = (Number.parseInt(flags ?? "0", 16) & RTF_REJECT) !== 0
    return name !== undefined && name !== "lo" && length === "00" && /^0{32}$/.test(destination!) && !rejects ? [name] : []
  })
  return [...new Set(found)]
}

const RTF_REJECT = 0x0200

function rulesOf(): Surroundings["rules"] {
  if (captureOwner() !== "") return "there"
  return process.getuid?.() === 0 ? "none" : "unknown"
}
