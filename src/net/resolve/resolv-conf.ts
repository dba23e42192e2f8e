import { parseServer } from "./name-servers.ts"

/** What resolv.conf(5) says. */
export interface ResolvConf {
  /** Addresses, for `NameServers`. */
  readonly servers: readonly string[]
  /** Domains that names with fewer than `ndots` dots are tried in first. */
  readonly search: readonly string[]
  readonly ndots: number
  /** Null = it says nothing. */
  readonly timeoutMs: number | null
  readonly attempts: number | null
}

const SERVERS_MAX = 8
const SEARCH_MAX = 6

/** Reads the text of /etc/resolv.conf. What is not understood is passed over, as the C library does; without a server it is the machine itself. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = []
  let search: string[] = []
  const options = new Map<string, number>()
  for (const line of text.split("\n")) {
    const [word, ...values] = line
      .replace(/[#;].*/, "")
      .trim()
      .split(/\s+/)
    if (word === "nameserver" && isServer(values[0] ?? "")) servers.push(values[0]!)
    // The last of `search` and `domain` counts.
    if (word === "search" || word === "domain") search = values.map(domain => domain.toLowerCase().replace(/\.$/, "")).filter(domain => domain !== "")
    if (word === "options") readOptions(values, options)
  }
  const timeout = options.get("timeout")
  return {
    servers: servers.length > 0 ? servers.slice(0, SERVERS_MAX) : ["127.0.0.1"],
    search: search.slice(0, SEARCH_MAX),
    ndots: Math.min(15, options.get("ndots") ?? 1),
    timeoutMs: timeout === undefined ? null : Math.min(30, Math.max(1, timeout)) * 1000,
    attempts: options.has("attempts") ? Math.min(5, Math.max(1, options.get("attempts")!)) : null,
  }
}

/** An address; with a port too, as some systems allow. */
function isServer(text: string): boolean {
  try {
    parseServer(text)
    return true
  } catch {
    return false
  }
}

function readOptions(values: readonly string[], options: Map<string, number>): void {
  for (const value of values) {
    const found = /^(ndots|timeout|attempts):(\d{1,4})$/.exec(value)
    if (found) options.set(found[1]!, Number(found[2]))
  }
}

/** The full names that `name` may stand for, in the order to try them (resolv.conf(5), `search` and `ndots`). A final dot says that it is whole. */
export function searchOrder(name: string, conf: Pick<ResolvConf, "search" | "ndots">): string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)]
  const dots = name.split(".").length - 1
  const searched = conf.search.map(domain => `${name}.${domain}`).filter(candidate => candidate.length <= 253)
  return dots >= conf.ndots ? [name, ...searched] : [...searched, name]
}
