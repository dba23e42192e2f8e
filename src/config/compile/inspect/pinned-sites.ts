import { KeyedTable, type TableShape } from "../../../base/index.ts"
import type { InspectConfig } from "../../schema/forward-inspect.ts"

// Words of an entry behind the table's own: strikes; since, until (64-bit floats, milliseconds since 1970); the text's length; the text.
const STRIKES = 1
const SINCE = 2
const UNTIL = 4
const LENGTH = 6
const TEXT_AT = 7
const VALUE_WORDS = 96
const TEXT_OCTETS_MAX = (VALUE_WORDS - TEXT_AT) * 4

const KIND_PINNED = 101

/** A site that is not opened, as it is listed. */
export interface PinnedSite {
  /** "" = everybody's connections. */
  readonly client: string
  readonly host: string
  readonly until: number
}

export type PinnedRules = NonNullable<InspectConfig["pinned"]>

function shapeOf(max: number): TableShape {
  return { keysMax: max, valueWords: VALUE_WORDS, kind: KIND_PINNED }
}

/** Memory of all workers for a listener: where it is asked for, and how much. */
export function pinnedMemory(listener: string, { max }: PinnedRules): { readonly key: string; readonly bytes: number } {
  return { key: `pinned/${listener}`, bytes: KeyedTable.bytes(shapeOf(max)) }
}

/**
 * Sites whose clients do not take our certificate, because they know the site's own: in memory that all workers share. Handshakes that were broken off are
 * counted by client and host, or by host alone; of the oldest that had none lately the place is taken when it is full.
 */
export class PinnedSites {
  private readonly table: KeyedTable
  private readonly octets: Uint8Array
  private readonly rules: PinnedRules

  constructor(memory: SharedArrayBuffer, rules: PinnedRules) {
    this.table = new KeyedTable(memory, shapeOf(rules.max))
    this.octets = new Uint8Array(memory)
    this.rules = rules
  }

  holds(client: string, host: string, now: number): boolean {
    const { table } = this
    const base = table.find(this.keyOf(client, host))
    const until = base === -1 ? 0 : table.floats[(base + UNTIL) >> 1]!
    table.leave()
    return until > now
  }

  /** A handshake was broken off. True = from now on the site is not opened any more. */
  strike(client: string, host: string, now: number): boolean {
    const { table, rules } = this
    const key = this.keyOf(client, host)
    const base = table.enter(key)
    const { words, floats } = table
    const counts = floats[(base + SINCE) >> 1]! + rules.within > now && floats[(base + UNTIL) >> 1]! <= now
    const strikes = counts ? words[base + STRIKES]! + 1 : 1
    words[base + STRIKES] = strikes
    if (strikes === 1) floats[(base + SINCE) >> 1] = now
    const isPinned = strikes >= rules.after
    floats[(base + UNTIL) >> 1] = isPinned ? now + rules.for : 0
    this.write(base, key)
    table.leave()
    return isPinned
  }

  /** The client took our certificate: what was counted was something else. */
  clear(client: string, host: string): void {
    const { table } = this
    const base = table.find(this.keyOf(client, host))
    if (base !== -1 && table.floats[(base + UNTIL) >> 1] === 0) table.drop()
    table.leave()
  }

  /** Those that are not opened now, the latest end first. */
  list(now: number): PinnedSite[] {
    const found: PinnedSite[] = []
    this.table.visit({
      visit: base => {
        const until = this.table.floats[(base + UNTIL) >> 1]!
        if (until > now) found.push({ ...siteOf(this.read(base)), until })
      },
    })
    return found.sort((a, b) => b.until - a.until)
  }

  /** Forgets a host, of one client or of all; "" = every host. Returns how many are opened again. */
  remove(host: string, client: string, now: number): number {
    let removed = 0
    this.table.visit({
      visit: (base, table) => {
        const site = siteOf(this.read(base))
        if ((host !== "" && site.host !== host) || (client !== "" && site.client !== client)) return
        if (table.floats[(base + UNTIL) >> 1]! > now) removed++
        table.drop()
      },
    })
    return removed
  }

  private keyOf(client: string, host: string): string {
    return this.rules.by === "host" ? ` ${host}` : `${client} ${host}`
  }

  private write(base: number, key: string): void {
    const octets = Buffer.from(key, "utf8").subarray(0, TEXT_OCTETS_MAX)
    this.table.words[base + LENGTH] = octets.length
    this.octets.set(octets, (base + TEXT_AT) * 4)
  }

  private read(base: number): string {
    const from = (base + TEXT_AT) * 4
    return Buffer.from(this.octets.slice(from, from + this.table.words[base + LENGTH]!)).toString("utf8")
  }
}

function siteOf(key: string): { client: string; host: string } {
  const at = key.lastIndexOf(" ")
  return { client: key.slice(0, at), host: key.slice(at + 1) }
}
