import { KeyedTable, KIND_BANS, type TableShape } from "../../base/index.ts"

// Words of an entry behind the table's own: offences; until, since, last end (64-bit floats); lengths of the two texts; the texts.
const OFFENCES = 1
const UNTIL = 2
const SINCE = 4
const KEY_LENGTH = 8
const REASON_LENGTH = 9
const KEY_AT = 10
const REASON_AT = 42
const VALUE_WORDS = 64
const KEY_OCTETS_MAX = (REASON_AT - KEY_AT) * 4
const REASON_OCTETS_MAX = (VALUE_WORDS - REASON_AT) * 4

/** A ban as it is listed. Times are milliseconds since 1970. */
export interface Ban {
  readonly key: string
  readonly since: number
  readonly until: number
  /** How many bans the key has had, this one included, that are not forgotten. */
  readonly offences: number
  readonly reason: string
}

/** How long a key is banned. */
export interface BanTerm {
  readonly forMs: number
  /** Each ban after another is so many times as long. */
  readonly factor: number
  readonly forMsMax: number
  /** So long after its end a ban no longer counts. */
  readonly forgetMs: number
}

/** The memory that the bans of a zone lie in. */
export function banZone(zone: string): string {
  return `bans/${zone}`
}

export function bansShape(bansMax: number): TableShape {
  return { keysMax: bansMax, valueWords: VALUE_WORDS, kind: KIND_BANS }
}

/** Who is banned, in memory that all threads share. A ban that has run out stays as a record until it is forgotten. */
export class BanTable {
  readonly table: KeyedTable
  private readonly octets: Uint8Array

  constructor(table: KeyedTable) {
    this.table = table
    this.octets = new Uint8Array(table.words.buffer)
  }

  static of(memory: SharedArrayBuffer, bansMax: number): BanTable {
    return new BanTable(new KeyedTable(memory, bansShape(bansMax)))
  }

  /** Changes so far, of all threads: what is written to disk is old when it has grown. */
  get changes(): number {
    return this.table.extra
  }

  isBanned(key: string, now: number): boolean {
    const base = this.table.find(key)
    const until = base === -1 ? 0 : this.table.floats[(base + UNTIL) >> 1]!
    this.table.leave()
    return until > now
  }

  /** Bans a key, or bans it for longer. Answers until when. `shown` is what is listed instead of a key that must not be seen. */
  ban(key: string, term: BanTerm, now: number, reason: string, shown = key): number {
    const { table } = this
    const base = table.enter(key)
    const { words, floats } = table
    const before = floats[(base + UNTIL) >> 1]!
    const offences = before + term.forgetMs < now ? 1 : before > now ? Math.max(1, words[base + OFFENCES]!) : words[base + OFFENCES]! + 1
    const until = Math.max(before, now + Math.min(term.forMs * term.factor ** (offences - 1), term.forMsMax))
    this.write(base, { key: shown, since: before > now ? floats[(base + SINCE) >> 1]! : now, until, offences, reason })
    table.leave()
    table.countExtra()
    return until
  }

  /** Puts a ban back as it was. */
  restore(ban: Ban): void {
    this.write(this.table.enter(ban.key), ban)
    this.table.leave()
    this.table.countExtra()
  }

  /** False = there was none. */
  remove(key: string, now: number): boolean {
    const base = this.table.find(key)
    const there = base !== -1 && this.table.floats[(base + UNTIL) >> 1]! > now
    if (base !== -1) this.table.drop()
    this.table.leave()
    if (there) this.table.countExtra()
    return there
  }

  removeAll(now: number): number {
    const there = this.list(now).length
    this.table.visit({ visit: (_, table) => table.drop() })
    this.table.countExtra()
    return there
  }

  /** Bans that hold, those that last the longest first. */
  list(now: number): Ban[] {
    const bans: Ban[] = []
    this.table.visit({
      visit: base => {
        const ban = this.read(base)
        if (ban.until > now) bans.push(ban)
      },
    })
    return bans.sort((a, b) => b.until - a.until)
  }

  private read(base: number): Ban {
    const { words, floats } = this.table
    return {
      key: this.text(base + KEY_AT, words[base + KEY_LENGTH]!),
      since: floats[(base + SINCE) >> 1]!,
      until: floats[(base + UNTIL) >> 1]!,
      offences: words[base + OFFENCES]!,
      reason: this.text(base + REASON_AT, words[base + REASON_LENGTH]!),
    }
  }

  private write(base: number, { key, since, until, offences, reason }: Ban): void {
    const { words, floats } = this.table
    words[base + KEY_LENGTH] = this.put(base + KEY_AT, key, KEY_OCTETS_MAX)
    words[base + REASON_LENGTH] = this.put(base + REASON_AT, reason, REASON_OCTETS_MAX)
    words[base + OFFENCES] = offences
    floats[(base + SINCE) >> 1] = since
    floats[(base + UNTIL) >> 1] = until
  }

  /** Writes a text in UTF-8; what is longer ends in an ellipsis. */
  private put(word: number, text: string, most: number): number {
    let octets = Buffer.from(text, "utf8")
    if (octets.length > most)
      octets = Buffer.from(
        `${octets
          .subarray(0, most - 6)
          .toString("utf8")
          .replace(/\ufffd+$/, "")}…`,
        "utf8",
      )
    this.octets.set(octets, word * 4)
    return octets.length
  }

  private text(word: number, length: number): string {
    return Buffer.from(this.octets.slice(word * 4, word * 4 + length)).toString("utf8")
  }
}
