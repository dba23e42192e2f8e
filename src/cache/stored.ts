import { assert } from "../base/index.ts"
import { type ContentRange, Fields, parseContentRange, reasonOf, type Validators } from "../http/index.ts"
import { earlyHintLines } from "./rules/early-hints.ts"
import { FieldLines } from "./rules/field-lines.ts"
import type { StoredTimes } from "./rules/reuse.ts"

/*
 * An entry's head: one line of JSON that begins with its kind, then what belongs to that kind.
 *
 *   [0,status,responseMs,initialAgeMs,lifetimeMs,swrMs,sieMs,bits,requestMs,"vary",uses] LF field lines   a response
 *   [1,["accept-encoding", …],responseMs] LF                                                         look at these fields and then under another key
 *   [2,"reason",untilMs] LF                                                                          not to be stored: go straight upstream
 *   [3,ticket] LF                                                                                    on disk only; who is still writing it
 */
export const RESPONSE = 0
export const VARY_RULE = 1
export const PASS_RULE = 2
export const DISK_RULE = 3

const MUST_REVALIDATE = 1
const NO_CACHE = 2
const IMMUTABLE = 4

export interface VaryRule {
  readonly kind: typeof VARY_RULE
  /** Sets of field names, the latest first: the response that answers a request may be under any of them. */
  readonly sets: readonly (readonly string[])[]
}

export interface PassRule {
  readonly kind: typeof PASS_RULE
  readonly reason: string
  readonly untilMs: number
}

export interface DiskRule {
  readonly kind: typeof DISK_RULE
  /** Names the writer, 0 = it is over. */
  readonly ticket: number
}

/** A stored response as threads use it: made once for each entry and thread. */
export class StoredResponse implements StoredTimes, Validators {
  readonly kind = RESPONSE
  readonly status: number
  readonly reason: string
  readonly responseMs: number
  readonly initialAgeMs: number
  readonly lifetimeMs: number
  readonly swrMs: number
  readonly sieMs: number
  readonly mustRevalidate: boolean
  readonly noCache: boolean
  readonly immutable: boolean
  /** Of its entry, as it was when last looked at. */
  marked = false
  readonly requestMs: number
  readonly etag: string
  readonly lastModified: string
  readonly date: string
  /** As they go out, but for Age. */
  readonly fields: Fields
  readonly lines: string
  /** What a stored 206 is of; null = the whole. */
  readonly part: ContentRange | null
  readonly vary: string

  constructor(facts: StoredFacts, lines: string) {
    this.status = facts.status
    this.reason = reasonOf(facts.status)
    this.responseMs = facts.responseMs
    this.initialAgeMs = facts.initialAgeMs
    this.lifetimeMs = facts.lifetimeMs
    this.swrMs = facts.swrMs
    this.sieMs = facts.sieMs
    this.mustRevalidate = facts.mustRevalidate
    this.noCache = facts.noCache
    this.immutable = facts.immutable
    this.requestMs = facts.requestMs
    this.vary = facts.vary
    this.lines = lines
    const read = FieldLines.parse(lines)
    this.fields = Fields.of(read.names.map((_, i) => [nameOf(read, i), read.values[i]!] as const))
    this.etag = read.get("etag")
    this.lastModified = read.get("last-modified")
    this.date = read.get("date")
    this.part = facts.status === 206 ? parseContentRange(read.get("content-range")) : null
  }

  /** Links to send early, "" = none. Seldom asked for. */
  hints(): string {
    return earlyHintLines(FieldLines.parse(this.lines).get("link"))
  }
}

function nameOf(read: FieldLines, i: number): string {
  const line = read.lines[i]!
  return line.substring(0, line.indexOf(":"))
}

/** What a response's head says beside its fields. */
export interface StoredFacts extends Omit<StoredTimes, "marked"> {
  readonly status: number
  readonly requestMs: number
  /** The names that Vary nominates, joined; "" = none. */
  readonly vary: string
}

export type StoredHead = StoredResponse | VaryRule | PassRule | DiskRule

export function encodeResponse(facts: StoredFacts, lines: string): Buffer {
  const bits = (facts.mustRevalidate ? MUST_REVALIDATE : 0) | (facts.noCache ? NO_CACHE : 0) | (facts.immutable ? IMMUTABLE : 0)
  const numbers = [facts.status, facts.responseMs, facts.initialAgeMs, facts.lifetimeMs, facts.swrMs, facts.sieMs, bits, facts.requestMs]
  return Buffer.from(`${JSON.stringify([RESPONSE, ...numbers, facts.vary])}\n${lines}`, "latin1")
}

export function encodeVaryRule(sets: readonly (readonly string[])[]): Buffer {
  return Buffer.from(`${JSON.stringify([VARY_RULE, sets])}\n`, "latin1")
}

export function encodePassRule(reason: string, untilMs: number): Buffer {
  return Buffer.from(`${JSON.stringify([PASS_RULE, reason, untilMs])}\n`, "latin1")
}

export function encodeDiskRule(ticket: number): Buffer {
  return Buffer.from(`${JSON.stringify([DISK_RULE, ticket])}\n`, "latin1")
}

/** null = not a head of this version. */
export function decodeHead(head: Uint8Array): StoredHead | null {
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).latin1Slice()
  const end = text.indexOf("\n")
  assert(end > 0, "a head begins with its line")
  const [kind, ...rest] = JSON.parse(text.substring(0, end)) as [number, ...unknown[]]
  if (kind === VARY_RULE) return { kind, sets: rest[0] as string[][] }
  if (kind === PASS_RULE) return { kind, reason: rest[0] as string, untilMs: rest[1] as number }
  if (kind === DISK_RULE) return { kind, ticket: rest[0] as number }
  if (kind !== RESPONSE) return null
  return new StoredResponse(factsOf(rest), text.substring(end + 1))
}

function factsOf(rest: readonly unknown[]): StoredFacts {
  const [status, responseMs, initialAgeMs, lifetimeMs, swrMs, sieMs, bits, requestMs] = rest as number[]
  return {
    status: status!,
    responseMs: responseMs!,
    initialAgeMs: initialAgeMs!,
    lifetimeMs: lifetimeMs!,
    swrMs: swrMs!,
    sieMs: sieMs!,
    mustRevalidate: (bits! & MUST_REVALIDATE) !== 0,
    noCache: (bits! & NO_CACHE) !== 0,
    immutable: (bits! & IMMUTABLE) !== 0,
    requestMs: requestMs!,
    vary: rest[8] as string,
  }
}
