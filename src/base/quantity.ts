import { z } from "zod"

const millisecondsOf: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const octetsOf: Readonly<Record<string, number>> = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 }

/** The longest duration, about 24.8 days: timers of the runtime count milliseconds in 31 bits and fire at once beyond that. */
export const durationMsMax = 2 ** 31 - 1

/** Milliseconds of `250ms`, `5s`, `1m`, `1h`, `2d`, `1.5s`; 0 may stand without a unit. null = not a duration. */
export function parseDuration(input: string | number): number | null {
  return read(input, /^(\d{1,16}(?:\.\d{1,6})?)(ms|s|m|h|d)$/, millisecondsOf, false)
}

/** Octets of `64KB`, `10MB`, `1GB`, `2TB`, `512B` (1 KB = 1024 octets) or of a bare number. null = not a size. */
export function parseSize(input: string | number): number | null {
  return read(input, /^(\d{1,16}(?:\.\d{1,6})?)(B|KB|MB|GB|TB)$/, octetsOf, true)
}

/** A share from 0 to 1: `0.2` or `20%`. null = not a ratio. */
export function parseRatio(input: string | number): number | null {
  const percent = typeof input === "string" ? /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(input.trim()) : null
  const value = percent ? Number(percent[1]) / 100 : typeof input === "number" ? input : Number.NaN
  return value >= 0 && value <= 1 ? value : null
}

function read(input: string | number, pattern: RegExp, units: Readonly<Record<string, number>>, bare: boolean): number | null {
  if (input === 0 || input === "0") return 0
  if (typeof input === "number") return bare && Number.isSafeInteger(input) && input > 0 ? input : null
  const text = input.trim()
  if (bare && /^\d{1,16}$/.test(text)) return whole(Number(text))
  const found = pattern.exec(text)
  return found ? whole(Number(found[1]) * units[found[2]!]!) : null
}

function whole(value: number): number | null {
  const rounded = Math.round(value)
  // 0.3s is 299.99… in binary fractions and means 300; 0.4ms means nothing.
  return Number.isSafeInteger(rounded) && Math.abs(rounded - value) < 1e-6 * Math.max(1, value) ? rounded : null
}

/** `90s` for 90000: the shortest exact way to write milliseconds. */
export function formatDuration(ms: number): string {
  for (const unit of ["d", "h", "m", "s"]) if (ms !== 0 && ms % millisecondsOf[unit]! === 0) return `${ms / millisecondsOf[unit]!}${unit}`
  return `${ms}ms`
}

/** `64KB` for 65536: the shortest exact way to write octets. */
export function formatSize(octets: number): string {
  for (const unit of ["TB", "GB", "MB", "KB"]) if (octets !== 0 && octets % octetsOf[unit]! === 0) return `${octets / octetsOf[unit]!}${unit}`
  return `${octets}B`
}

export interface QuantityBounds {
  /** Smallest value in the quantity's unit; default 0. */
  readonly min?: number
  /** Largest value in the quantity's unit. */
  readonly max?: number
}

interface Quantity {
  readonly title: string
  readonly expected: string
  readonly max: number
  parse(input: string | number): number | null
  format(value: number): string
}

const durations: Quantity = {
  title: "duration",
  expected: "a duration such as 250ms, 5s, 1m",
  max: durationMsMax,
  parse: parseDuration,
  format: formatDuration,
}
const sizes: Quantity = {
  title: "size",
  expected: "a size such as 64KB, 10MB, 1GB or a number of octets",
  max: 2 ** 50,
  parse: parseSize,
  format: formatSize,
}
const ratios: Quantity = { title: "ratio", expected: "a share from 0 to 1 such as 0.2 or 20%", max: 1, parse: parseRatio, format: String }

/** Schema of a duration; output in milliseconds. */
export function duration(bounds: QuantityBounds = {}) {
  return quantity(durations, bounds)
}

/** Schema of a size; output in octets. */
export function size(bounds: QuantityBounds = {}) {
  return quantity(sizes, bounds)
}

/** Schema of a share; output from 0 to 1. */
export function ratio(bounds: QuantityBounds = {}) {
  return quantity(ratios, bounds)
}

function quantity(kind: Quantity, { min = 0, max = kind.max }: QuantityBounds) {
  return z
    .union([z.string(), z.number()], { error: issue => `expected ${kind.expected}, got ${shown(issue.input)}` })
    .transform((input, context): number => {
      const value = kind.parse(input)
      if (value !== null && value >= min && value <= max) return value
      context.issues.push({ code: "custom", input, message: complaint(kind, input, value, { min, max }) })
      return z.NEVER
    })
    .meta({ title: kind.title })
}

function complaint(kind: Quantity, input: string | number, value: number | null, bounds: Required<QuantityBounds>): string {
  if (value === null) return `expected ${kind.expected}, got ${shown(input)}`
  const bound = value < bounds.min ? `at least ${kind.format(bounds.min)}` : `at most ${kind.format(bounds.max)}`
  return `expected ${bound}, got ${shown(input)}`
}

function shown(input: unknown): string {
  if (input === undefined) return "nothing"
  if (Array.isArray(input)) return "a list"
  if (typeof input === "object" && input !== null) return "a map"
  const text = typeof input === "string" ? JSON.stringify(input) : String(input)
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}
