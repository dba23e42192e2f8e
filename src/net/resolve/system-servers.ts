import type { Clock } from "../../base/index.ts"
import type { QuerySettings } from "./dns-query.ts"
import { NameServers, type ServerConfig } from "./name-servers.ts"
import { parseResolvConf, type ResolvConf, searchOrder } from "./resolv-conf.ts"
import { WatchedFile } from "./watched-file.ts"

const DEFAULT_ATTEMPTS = 2
const DEFAULT_TIMEOUT_MS = 2000

/** What the options leave open. */
export interface QueryOptions {
  readonly timeoutMs: number | undefined
  readonly attempts: number | undefined
}

/** The name servers in use and how short names are completed: as configured, or as resolv.conf says, which is read again within a second of a change. */
export class SystemServers {
  private readonly file: WatchedFile | null
  private conf: Pick<ResolvConf, "search" | "ndots" | "timeoutMs" | "attempts">
  private servers: NameServers

  /** Servers of their own for names below these, lower case. */
  private readonly domains: ReadonlyMap<string, NameServers>

  /** `servers` null = read the file. Throws AddressError. */
  constructor(servers: readonly ServerConfig[] | null, domains: Readonly<Record<string, readonly ServerConfig[]>>, path: string, clock: Clock) {
    this.file = servers === null ? new WatchedFile(path, clock) : null
    this.conf = { search: [], ndots: 1, timeoutMs: null, attempts: null }
    this.servers = new NameServers(servers ?? ["127.0.0.1"])
    this.domains = new Map(Object.entries(domains).map(([domain, own]) => [domain.toLowerCase().replace(/\.$/, ""), new NameServers(own)]))
  }

  /** What the next query for this name is made with; options go before the file. */
  settings(name: string, options: QueryOptions): QuerySettings {
    const text = this.file?.changed() ?? null
    if (text !== null) {
      const conf = parseResolvConf(text)
      this.conf = conf
      this.servers = new NameServers(conf.servers)
    }
    return {
      servers: this.ownServers(name) ?? this.servers,
      timeoutMs: options.timeoutMs ?? this.conf.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      attempts: options.attempts ?? this.conf.attempts ?? DEFAULT_ATTEMPTS,
    }
  }

  /** Valid after `settings`. A name of a domain with servers of its own is whole. */
  searchOrder(name: string): string[] {
    return this.ownServers(name) === null ? searchOrder(name, this.conf) : [name.replace(/\.$/, "")]
  }

  close(): void {
    this.servers.close()
    for (const servers of this.domains.values()) servers.close()
  }

  /** Those of the longest domain that the name is, or is below; null = none. */
  private ownServers(name: string): NameServers | null {
    if (this.domains.size === 0) return null
    let rest = name.replace(/\.$/, "")
    for (;;) {
      const own = this.domains.get(rest)
      if (own !== undefined) return own
      const dot = rest.indexOf(".")
      if (dot < 0) return null
      rest = rest.slice(dot + 1)
    }
  }
}
