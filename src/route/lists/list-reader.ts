import { EXCEPT_SELF, FIRM_SELF, NAME_BELOW, NAME_SELF, NAME_TREE, type NameSetBuilder } from "../../base/index.ts"
import { adblockRule } from "./adblock-rule.ts"
import { isAddress, kindOfName, NOT_A_NAME, ONE_LABEL, OTHER_FORM, otherForm, PLAIN_NAME } from "./list-name.ts"

export const listFormats = ["auto", "plain", "hosts", "adblock", "dnsmasq"] as const
export type ListFormat = (typeof listFormats)[number]

/** Why a line is no entry though it can be read. */
export type SkipReason = "third-party" | "options" | "page" | "url" | "pattern" | "answer" | "local" | "top-level"

/** What came of the lines of a list. */
export interface ListCounts {
  /** Lines that are rules of some kind: without comments and empty ones. */
  rules: number
  /** Those of them that are entries now. */
  taken: number
  /** Those that cannot be entries, by why. */
  readonly skipped: Partial<Record<SkipReason, number>>
  /** Those that are nothing known. */
  malformed: number
  /** The first of these, "" = there is none. */
  firstMalformed: string
  firstMalformedLine: number
}

export interface ListRules {
  readonly format: ListFormat
  /** Take rules of Adblock lists that hold only where another site embeds the name. */
  readonly thirdParty: boolean
}

/** Characters of a line. What is longer is no rule about a name. */
const LINE_LENGTH_MAX = 4096
const SHOWN_LENGTH = 60

/** Names that files of hosts have for the machine itself. */
const localNames = new Set(
  "localhost localhost.localdomain local broadcasthost ip6-localhost ip6-loopback ip6-localnet ip6-mcastprefix ip6-allnodes ip6-allrouters ip6-allhosts".split(
    " ",
  ),
)

/** Reads the lines of a list into a set of names. Feed it text in any pieces, then say `end`. */
export class ListReader {
  readonly counts: ListCounts = { rules: 0, taken: 0, skipped: {}, malformed: 0, firstMalformed: "", firstMalformedLine: 0 }
  private readonly names: NameSetBuilder
  private readonly format: ListFormat
  private readonly thirdParty: boolean
  private rest = ""
  private line = 0
  /** The rest of the line is left out. */
  private tooLong = false

  constructor(names: NameSetBuilder, { format, thirdParty }: ListRules) {
    this.names = names
    this.format = format
    this.thirdParty = thirdParty
  }

  feed(text: string): void {
    const whole = this.rest === "" ? text : this.rest + text
    let at = 0
    for (;;) {
      const end = whole.indexOf("\n", at)
      if (end < 0) break
      this.takeLine(whole, at, end)
      at = end + 1
    }
    this.rest = whole.length - at > LINE_LENGTH_MAX ? this.cutLine(whole.slice(at, at + SHOWN_LENGTH)) : whole.slice(at)
  }

  end(): void {
    if (this.rest !== "" || this.tooLong) this.takeLine(this.rest, 0, this.rest.length)
    this.rest = ""
  }

  private cutLine(start: string): string {
    if (!this.tooLong) {
      this.counts.rules++
      this.refuse(start, 0, start.length, this.line + 1)
    }
    this.tooLong = true
    return ""
  }

  private takeLine(text: string, lineFrom: number, lineTo: number): void {
    this.line++
    if (this.tooLong) {
      this.tooLong = false
      return
    }
    let from = lineFrom
    let to = lineTo
    while (from < to && isBlank(text.charCodeAt(from))) from++
    while (to > from && isBlank(text.charCodeAt(to - 1))) to--
    if (from === to || isComment(text, from, to)) return
    this.rule(text, from, to)
  }

  private rule(text: string, from: number, to: number): void {
    this.counts.rules++
    // Most lists are mostly lines of this kind.
    if (this.format !== "hosts" && this.format !== "dnsmasq" && this.format !== "adblock" && kindOfName(text, from, to) === PLAIN_NAME) {
      this.names.add(text, from, to, NAME_TREE)
      this.counts.taken++
      return
    }
    const rule = text.slice(from, to)
    const known = this.other(rule)
    if (known === "taken") this.counts.taken++
    else if (known === "malformed") this.refuse(text, from, to, this.line)
    else this.counts.skipped[known] = (this.counts.skipped[known] ?? 0) + 1
  }

  /** What the format makes of a line that is no bare name. */
  private other(rule: string): Outcome {
    const { format } = this
    const any = format === "auto"
    if (format === "adblock") return this.adblock(rule)
    const text = rule.replace(/\s[#;].*$/, "").trimEnd()
    if (any && looksLikeAdblock(text)) return this.adblock(text)
    if ((any && /^[a-z-]+=\//.test(text)) || format === "dnsmasq") return this.dnsmasq(text)
    const blank = text.search(/\s/)
    if (format === "hosts" || (any && blank > 0)) return blank > 0 ? this.hosts(text.split(/\s+/)) : "malformed"
    return this.plain(text)
  }

  /** `name`, `.name`, `*.name`. */
  private plain(text: string): Outcome {
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return "url"
    if (text.startsWith("*.")) return this.take(text.slice(2), NAME_BELOW, true)
    if (text.startsWith(".")) return this.take(text.slice(1), NAME_TREE, true)
    return this.take(text, NAME_TREE, false)
  }

  /** `0.0.0.0 name name`: these names alone. An address that leads somewhere is an answer and no block. */
  private hosts([address = "", ...names]: readonly string[]): Outcome {
    if (!isAddress(address)) return "malformed"
    if (!/^(?:0\.0\.0\.0|127\.\d+\.\d+\.\d+|::1?)$/.test(address)) return "answer"
    const outcomes = names.map((name): Outcome => (localNames.has(name.toLowerCase()) ? "local" : this.take(name, NAME_SELF, false)))
    return outcomes.includes("taken") ? "taken" : (outcomes[0] ?? "malformed")
  }

  /** `address=/name/name/0.0.0.0`, `local=/name/`: these names and those below. */
  private dnsmasq(rule: string): Outcome {
    const match = /^(?:address|server|local)=\/(.+)\/([^/]*)$/.exec(rule)
    if (match === null) return /^[a-z-]+(?:=|$)/.test(rule) ? "options" : "malformed"
    if (!/^(?:#?|0\.0\.0\.0|127\.0\.0\.1|::1?)$/.test(match[2]!)) return "answer"
    const outcomes = match[1]!.split("/").map(name => this.take(name.replace(/^\*?\./, ""), NAME_TREE, true))
    return outcomes.includes("taken") ? "taken" : outcomes[0]!
  }

  private adblock(rule: string): Outcome {
    const read = adblockRule(rule, this.thirdParty)
    return typeof read === "string" ? read : this.take(read.name, read.kinds, true)
  }

  /** `wide`: one label is a top level domain that is meant. */
  private take(written: string, kinds: number, wide: boolean): Outcome {
    const name = written.endsWith(".") ? written.slice(0, -1) : written
    const kind = kindOfName(name, 0, name.length)
    if (kind === NOT_A_NAME) return "malformed"
    if (kind === ONE_LABEL && !wide) return "top-level"
    const form = kind === PLAIN_NAME || kind === ONE_LABEL ? name : otherForm(name)
    if (form === "") return "malformed"
    // Nothing is below an address.
    const of = kind === OTHER_FORM && isAddress(form) ? kinds & (NAME_SELF | EXCEPT_SELF | FIRM_SELF) : kinds
    if (of !== 0) this.names.add(form, 0, form.length, of)
    return "taken"
  }

  private refuse(text: string, from: number, to: number, line: number): void {
    const { counts } = this
    counts.malformed++
    if (counts.malformed > 1) return
    counts.firstMalformed = text.slice(from, Math.min(to, from + SHOWN_LENGTH))
    counts.firstMalformedLine = line
  }
}

type Outcome = "taken" | "malformed" | SkipReason

function isBlank(code: number): boolean {
  return code === 32 || code === 9 || code === 13
}

/** `#`, `;` and `!` begin comments, and `[Adblock Plus 2.0]` is a title. What Adblock hides on every page (`##.ad`) looks like a comment and is as little a name. */
function isComment(text: string, from: number, to: number): boolean {
  const code = text.charCodeAt(from)
  return code === 0x23 || code === 0x3b || code === 0x21 || (code === 0x5b && text.charCodeAt(to - 1) === 0x5d && text.indexOf(":", from) < 0)
}

function looksLikeAdblock(rule: string): boolean {
  return /^(?:@@|\|)|[$^]|#[@?$%]?#|#@?[$%?]+#|^\/.*\/$/.test(rule)
}

/** What is wrong with a name that a config gives to a list itself, "" = nothing. */
export function listEntryTrouble(text: string): string {
  const reader = new ListReader(nowhere, { format: "plain", thirdParty: false })
  reader.feed(`${text}\n`)
  if (reader.counts.taken === 1 && !/[\n\r]/.test(text)) return ""
  if (reader.counts.skipped["top-level"] === 1) return `"${text}" is one label; for a whole top level domain write ".${text}"`
  return `"${text}" is no name; expected "shop.example" with the names below it, "*.shop.example" for these alone, or an address`
}

const nowhere = { add() {} } as unknown as NameSetBuilder
