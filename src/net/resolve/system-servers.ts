import type { Clock } from "../../base/index.ts"
import type { QuerySettings } from "./dns-query.ts"
import { NameServers } from "./name-servers.ts"
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

  /** `servers` null = read the file. Throws AddressError. */
  constructor(servers: readonly string[] | null, path: string, clock: Clock) {
    this.file = servers === null ? new WatchedFile(path, clock) : null
    this.conf = { search: [], ndots: 1, timeoutMs: null, attempts: null }
    this.servers = new NameServers(servers ?? ["127.0.0.1"])
  }

  /** What the next query is made with; options go before the file. */
  settings(options: QueryOptions): QuerySettings {
    const text = this.file?.changed() ?? null
    if (text !== null) {
      const conf = parseResolvConf(text)
      this.conf = conf
      this.servers = new NameServers(conf.servers)
    }
    return {
      servers: this.servers,
      timeoutMs: options.timeoutMs ?? this.conf.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      attempts: options.attempts ?? this.conf.attempts ?? DEFAULT_ATTEMPTS,
    }
  }

  /** Valid after `settings`. */
  searchOrder(name: string): string[] {
    return searchOrder(name, this.conf)
  }
}
