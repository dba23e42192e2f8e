const DAY_MS = 86_400_000

/** Days of a calendar, both ends included: of one year, or of every year. */
export interface DateSpan {
  /** Days since 1970-01-01; of every year: month * 32 + day. */
  readonly first: number
  readonly last: number
  readonly everyYear: boolean
}

const expected = 'expected a day such as "2026-12-24" or "12-24" (every year), or a span such as "2026-12-23..2027-01-06"'

/** What is wrong with a day or span in the config, "" when nothing is. */
export function dateTrouble(text: string): string {
  const [first, last, more] = text.split("..")
  const a = dayOf(first!)
  const b = last === undefined ? a : dayOf(last)
  if (more !== undefined || a === null || b === null || a.everyYear !== b.everyYear) return `"${text}" is no day of a calendar; ${expected}`
  return a.everyYear || a.number <= b.number ? "" : `"${text}" ends before it begins; ${expected}`
}

/** Reads what `dateTrouble` finds nothing wrong with. */
export function parseDates(text: string): DateSpan {
  const [first, last = first] = text.split("..")
  const { number, everyYear } = dayOf(first!)!
  return { first: number, last: dayOf(last!)!.number, everyYear }
}

/** A span of every year may go over the end of one. */
export function inDates({ first, last, everyYear }: DateSpan, day: number): boolean {
  if (!everyYear) return day >= first && day <= last
  const date = new Date(day * DAY_MS)
  const number = (date.getUTCMonth() + 1) * 32 + date.getUTCDate()
  return first <= last ? number >= first && number <= last : number >= first || number <= last
}

function dayOf(text: string): { readonly number: number; readonly everyYear: boolean } | null {
  const found = /^(?:(\d{4})-)?(\d{2})-(\d{2})$/.exec(text.trim())
  if (found === null) return null
  const [, year, month, day] = found
  // A leap year, so that 29 February may be named.
  const date = new Date(Date.UTC(Number(year ?? 2024), Number(month) - 1, Number(day)))
  if (date.getUTCMonth() + 1 !== Number(month) || date.getUTCDate() !== Number(day)) return null
  return year === undefined ? { number: Number(month) * 32 + Number(day), everyYear: true } : { number: date.getTime() / DAY_MS, everyYear: false }
}
