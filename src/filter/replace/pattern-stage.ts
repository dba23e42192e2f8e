// HOT
import type { Matcher, RE2JS } from "re2js"
import type { RequiredLiteral } from "../../base/index.ts"
import type { Stage } from "./replaced-body.ts"
import type { ReplacementPart } from "./replacement.ts"

/** What the bodies of one rule have in common. */
export interface PatternRule {
  readonly regex: RE2JS
  readonly literal: RequiredLiteral
  readonly by: readonly ReplacementPart[]
  readonly times: number
  /** Octets that a match may have. */
  readonly matchBytesMax: number
}

const LINE_FEED = "\n"

/**
 * Replaces matches of a pattern, line by line, also where chunks cut them. What is replaced depends on the text alone and not on its chunks: a long line is looked at
 * in steps of fixed size, each when as much has come behind it as a match may have.
 *
 *   line  ...done|  3 × max: matches begin here  |  1 × max: and end here at the latest  | not yet
 */
export class PatternStage implements Stage {
  private readonly rule: PatternRule
  private left: number
  /** What has come and is not done. Its first `context` characters are, and say what stands before the rest. */
  private rest = ""
  private context = 0

  constructor(rule: PatternRule) {
    this.rule = rule
    this.left = rule.times
  }

  /** The end of a line has to be seen with what comes behind it. */
  passes(): boolean {
    return this.left === 0 && this.rest === ""
  }

  push(text: string): string {
    return this.take(text, false)
  }

  end(text: string): string {
    return this.take(text, true)
  }

  private take(text: string, isEnd: boolean): string {
    let all = this.rest + text
    let out = ""
    let from = this.context
    for (;;) {
      if (this.left === 0) break
      const feed = all.indexOf(LINE_FEED, from)
      const whole = feed >= 0 || isEnd
      const stop = feed >= 0 ? feed : all.length
      const done = this.line(all, from, stop, whole)
      out += this.made
      if (!whole) {
        from = done
        break
      }
      out += all.substring(done, stop)
      if (feed < 0) {
        from = stop
        break
      }
      out += LINE_FEED
      // The next line has nothing before it.
      all = all.substring(feed + 1)
      from = 0
    }
    if (this.left === 0) {
      out += all.substring(from)
      this.rest = ""
      this.context = 0
      return out
    }
    this.context = from > 0 ? 1 : 0
    this.rest = all.substring(from - this.context)
    return out
  }

  private made = ""

  /** Does the line in all[from, stop), or as much of it as is sure, into `made`; returns how far it got. */
  private line(all: string, from: number, stop: number, whole: boolean): number {
    const { matchBytesMax: max } = this.rule
    const stride = 3 * max
    let at = from
    this.made = ""
    while (this.left > 0 && at < stop) {
      const end = at + stride + max
      if (end > stop && !whole) break
      at = this.step(all, at, Math.min(end, stop), end > stop)
    }
    return at
  }

  /** One look at all[at, end), where matches may begin up to `max` before the end unless that is the line's. */
  private step(all: string, at: number, end: number, isLineEnd: boolean): number {
    const { rule } = this
    const { matchBytesMax: max } = rule
    const startMax = isLineEnd ? end : end - max
    const origin = at > 0 ? at - 1 : 0
    const text = all.substring(origin, end)
    // Most texts fail here, at a fraction of the price.
    const found = text.includes(rule.literal.text) ? rule.regex.matcher(text) : null
    if (found === null || !found.find(at - origin)) return this.pass(all, at, startMax)
    const start = origin + found.start()
    if (start >= startMax) return this.pass(all, at, startMax)
    const stop = origin + found.end()
    if (stop - start <= max && (stop < end || isLineEnd)) return this.replace(all, at, found, origin)
    return this.retry(all, at, start, end, isLineEnd)
  }

  /** A match that is longer than it may be: is there a shorter one at its place? */
  private retry(all: string, at: number, start: number, end: number, isLineEnd: boolean): number {
    const { rule } = this
    const { matchBytesMax: max } = rule
    const stop = Math.min(end, start + max + 1)
    const origin = start > 0 ? start - 1 : 0
    const found = rule.regex.matcher(all.substring(origin, stop))
    if (!found.find(start - origin) || origin + found.start() !== start) return this.pass(all, at, stop)
    const bytes = found.end() - found.start()
    const fits = bytes <= max && (start + bytes < stop || (isLineEnd && stop === end))
    return fits ? this.replace(all, at, found, origin) : this.pass(all, at, stop)
  }

  private pass(all: string, at: number, to: number): number {
    this.made += all.substring(at, to)
    return to
  }

  private replace(all: string, at: number, found: Matcher, origin: number): number {
    const start = origin + found.start()
    const stop = origin + found.end()
    // Nothing is no match: it goes on behind the next character.
    if (stop === start) return this.pass(all, at, start + 1)
    this.made += all.substring(at, start)
    const { by } = this.rule
    for (let i = 0; i < by.length; i++) {
      const part = by[i]!
      this.made += typeof part === "string" ? part : (found.group(part) ?? "")
    }
    this.left--
    return stop
  }
}
