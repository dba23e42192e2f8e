// HOT
import { hashString, ipFamily } from "../../base/index.ts"
import type { Exchange } from "../../flow/index.ts"

/** Where connections come from: one address of each kind, "" = none of that kind. */
export interface Source {
  /** Unique among the sources of its exit. */
  readonly index: number
  readonly v4: string
  readonly v6: string
}

export interface SourceRules {
  readonly addresses: readonly string[]
  readonly rotate: "request" | "client" | "time"
  /** Milliseconds, where `rotate` is time. */
  readonly everyMs: number
}

/** The addresses of this machine that an exit takes in turn. By time all workers take the same one; by request each has a turn of its own. */
export class Sources {
  private readonly list: readonly Source[]
  private readonly rules: SourceRules
  private turn = 0

  constructor(rules: SourceRules) {
    this.rules = rules
    const v4: string[] = []
    const v6: string[] = []
    for (const address of rules.addresses) (ipFamily(address) === 4 ? v4 : v6).push(address)
    const list: Source[] = []
    for (let index = 0; index < v4.length || index < v6.length; index++)
      list.push({ index, v4: v4.length === 0 ? "" : v4[index % v4.length]!, v6: v6.length === 0 ? "" : v6[index % v6.length]! })
    this.list = list
  }

  next(x: Exchange): Source {
    const { list, rules } = this
    if (rules.rotate === "client") return list[hashString(x.clientAddress) % list.length]!
    if (rules.rotate === "time") return list[Math.floor(Date.now() / rules.everyMs) % list.length]!
    this.turn = (this.turn + 1) % list.length
    return list[this.turn]!
  }
}

/** The address for a connection to this one, "" = there is none of its kind. */
export function sourceTo(source: Source, address: string): string {
  return address.includes(":") ? source.v6 : source.v4
}
