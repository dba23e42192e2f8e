// HOT
import { isWord } from "../grammar.ts"
import { COMMA, readDigits, SP } from "./scan.ts"

const COLON = 58
const DASH = 45
const DAY_MS = 86_400_000
const YEAR_DIGITS_MAX = 9999

const SHORT_DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
const LONG_DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/**
 * ms since 1970 of an HTTP-date in one of its three forms (RFC 9110 section 5.6.7), NaN for anything else. Names may have any case, the zone is GMT only
 * (RFC 9111 section 4.2); whether the day of the week is the right one does not matter. `nowMs` says which century a year of two digits is in.
 */
export function parseHttpDate(text: string, nowMs: number): number {
  const { length } = text
  if (length === 29 && text.charCodeAt(3) === COMMA) return parseFixdate(text)
  if (length === 24 && text.charCodeAt(3) === SP) return parseAsctime(text)
  if (length >= 30 && length <= 33) return parseRfc850(text, nowMs)
  return Number.NaN
}

/** `Sun, 06 Nov 1994 08:49:37 GMT` */
function parseFixdate(text: string): number {
  if (!isOneOf(SHORT_DAYS, text, 0, 3) || !isSpaceAt(text, 4) || !isSpaceAt(text, 7) || !isSpaceAt(text, 11)) return Number.NaN
  if (!isSpaceAt(text, 16) || !endsInGmt(text, 25)) return Number.NaN
  return assemble(digits(text, 12, 16), monthAt(text, 8), digits(text, 5, 7), timeOfDay(text, 17))
}

/** `Sunday, 06-Nov-94 08:49:37 GMT` */
function parseRfc850(text: string, nowMs: number): number {
  const comma = text.length - 24
  if (text.charCodeAt(comma) !== COMMA || !isOneOf(LONG_DAYS, text, 0, comma) || !isSpaceAt(text, comma + 1)) return Number.NaN
  const date = comma + 2
  if (text.charCodeAt(date + 2) !== DASH || text.charCodeAt(date + 6) !== DASH) return Number.NaN
  if (!isSpaceAt(text, date + 9) || !endsInGmt(text, date + 18)) return Number.NaN
  const month = monthAt(text, date + 3)
  const day = digits(text, date, date + 2)
  const time = timeOfDay(text, date + 10)
  const shortYear = digits(text, date + 7, date + 9)
  if (shortYear < 0) return Number.NaN
  return assemble(fullYear(shortYear, placeInYear(month, day, time), nowMs), month, day, time)
}

/** The latest year with these two last digits in which that place is not more than 50 years ahead (RFC 9110 section 5.6.7). */
function fullYear(shortYear: number, place: number, nowMs: number): number {
  const now = new Date(nowMs)
  const limit = now.getUTCFullYear() + 50
  const year = limit - (limit % 100) + shortYear
  if (year < limit) return year
  const nowPlace = placeInYear(now.getUTCMonth(), now.getUTCDate(), nowMs % DAY_MS)
  return year === limit && place <= nowPlace ? year : year - 100
}

/** Orders the moments of any year, whether it has a leap day or not. */
function placeInYear(month: number, day: number, time: number): number {
  return (month * 32 + day) * DAY_MS + time
}

/** `Sun Nov  6 08:49:37 1994` */
function parseAsctime(text: string): number {
  if (!isOneOf(SHORT_DAYS, text, 0, 3) || !isSpaceAt(text, 7) || !isSpaceAt(text, 10) || !isSpaceAt(text, 19)) return Number.NaN
  const day = isSpaceAt(text, 8) ? digits(text, 9, 10) : digits(text, 8, 10)
  return assemble(digits(text, 20, 24), monthAt(text, 4), day, timeOfDay(text, 11))
}

function isSpaceAt(text: string, at: number): boolean {
  return text.charCodeAt(at) === SP
}

function endsInGmt(text: string, at: number): boolean {
  return isSpaceAt(text, at) && isWord(text, at + 1, text.length, "gmt")
}

function isOneOf(words: readonly string[], text: string, start: number, end: number): boolean {
  for (let i = 0; i < words.length; i++) if (isWord(text, start, end, words[i]!)) return true
  return false
}

function digits(text: string, start: number, end: number): number {
  return readDigits(text, start, end, YEAR_DIGITS_MAX)
}

/** 0 to 11, -1 = it is none. */
function monthAt(text: string, at: number): number {
  for (let month = 0; month < 12; month++) if (isWord(text, at, at + 3, MONTHS[month]!)) return month
  return -1
}

/** ms of `08:49:37`, -1 = not valid. A leap second is the one before it: a date is never taken for later than it is (RFC 9111 section 4.2). */
function timeOfDay(text: string, at: number): number {
  if (text.charCodeAt(at + 2) !== COLON || text.charCodeAt(at + 5) !== COLON) return -1
  const hour = digits(text, at, at + 2)
  const minute = digits(text, at + 3, at + 5)
  const second = digits(text, at + 6, at + 8)
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return -1
  return (hour * 3600 + minute * 60 + Math.min(second, 59)) * 1000
}

function assemble(year: number, month: number, day: number, time: number): number {
  if (year < 0 || month < 0 || time < 0 || day < 1 || day > MONTH_DAYS[month]!) return Number.NaN
  if (month === 1 && day === 29 && !isLeap(year)) return Number.NaN
  return daysSince1970(year, month, day) * DAY_MS + time
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}

/** Days of the Gregorian calendar, with years that begin in March, so that a leap day is the last of its year. */
function daysSince1970(year: number, month: number, day: number): number {
  const shifted = month < 2 ? year - 1 : year
  const marchMonth = (month + 10) % 12
  const dayOfYear = Math.floor((153 * marchMonth + 2) / 5) + day - 1
  return shifted * 365 + Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400) + dayOfYear - 719_468
}
