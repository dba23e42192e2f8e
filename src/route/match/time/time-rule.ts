import { z } from "zod"
import { field, listOf, maybe, zoneTrouble, type ZoneTime } from "../../../base/index.ts"
import { type DateSpan, dateTrouble, inDates, parseDates } from "./date-span.ts"

const dayWords = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const
const DAY_MINUTES = 1440

/** Mon = 0 … Sun = 6 of a day since 1970-01-01. */
function weekdayOf(day: number): number {
  return (((day + 3) % 7) + 7) % 7
}

/** `08:30` in minutes; 24:00 is the end of a day. -1 = not a time. */
function minutesOf(text: string): number {
  const found = /^(\d{1,2}):(\d{2})$/.exec(text)
  const minutes = found === null ? -1 : Number(found[1]) * 60 + Number(found[2])
  return found === null || Number(found[2]) > 59 || minutes > DAY_MINUTES ? -1 : minutes
}

/** Weekdays of `fri` and `mon-fri`, also over Sunday as `sat-mon`; null = none. */
function weekdaysOf(text: string): readonly number[] | null {
  const [first, last = first, more] = text
    .toLowerCase()
    .split("-")
    .map(word => dayWords.indexOf(word.trim().slice(0, 3) as (typeof dayWords)[number]))
  if (first === undefined || first < 0 || last! < 0 || more !== undefined || !/^[a-z]{3,9}(?: *- *[a-z]{3,9})?$/i.test(text)) return null
  const days: number[] = []
  for (let day = first; ; day = (day + 1) % 7) {
    days.push(day)
    if (day === last) return days
  }
}

const daysSchema = z.string().superRefine((text, context) => {
  if (weekdaysOf(text) === null)
    context.addIssue({ code: "custom", message: `"${text}" is no weekday; expected ${dayWords.join(", ")}, or a span such as mon-fri` })
})

// YAML 1.1 readers make a number of 22:30; here it stays a text.
const clockSchema = z.string().superRefine((text, context) => {
  if (minutesOf(text) < 0) context.addIssue({ code: "custom", message: `"${text}" is no time of day; expected 00:00 to 24:00, such as "08:30"` })
})

const datesSchema = z.string().superRefine((text, context) => {
  const message = dateTrouble(text)
  if (message !== "") context.addIssue({ code: "custom", message })
})

const zoneSchema = z.string().superRefine((zone, context) => {
  const message = zoneTrouble(zone)
  if (message !== "") context.addIssue({ code: "custom", message })
})

export const timeRuleSchema = z
  .strictObject({
    days: maybe(listOf(daysSchema), "Weekdays: mon, tue … sun, spans such as mon-fri, or a list. Default: all."),
    from: field(clockSchema, "00:00", "Begins at this time of day."),
    to: field(clockSchema, "24:00", "Ends before this time of day. Earlier than `from`: on the next day, and counts to the day on which it began."),
    zone: maybe(zoneSchema, "Time zone such as Europe/Berlin. Default: the machine's."),
    dates: maybe(listOf(datesSchema), "Only on these days: 2026-12-24, 12-24 (every year), spans such as 2026-12-23..2027-01-06."),
    except: maybe(listOf(datesSchema), "Not on these days, written in the same way: holidays."),
  })
  .refine(({ from, to }) => from !== to, { error: "from and to are the same time; leave them out for the whole day" })

export type TimeRule = z.output<typeof timeRuleSchema>

/** One rule, ready to be asked. */
export class TimeSpan {
  private readonly from: number
  private readonly to: number
  /** Bit for each weekday. */
  private readonly weekdays: number
  private readonly dates: readonly DateSpan[] | null
  private readonly except: readonly DateSpan[]
  private readonly zone: ZoneTime

  constructor(rule: TimeRule, zone: ZoneTime) {
    this.from = minutesOf(rule.from)
    this.to = minutesOf(rule.to)
    this.weekdays = (rule.days?.flatMap(text => weekdaysOf(text)!) ?? [0, 1, 2, 3, 4, 5, 6]).reduce((bits, day) => bits | (1 << day), 0)
    this.dates = rule.dates?.map(parseDates) ?? null
    this.except = rule.except?.map(parseDates) ?? []
    this.zone = zone
  }

  holds(wallMs: number): boolean {
    const { from, to, zone } = this
    zone.read(wallMs)
    const { minuteOfDay, day } = zone
    if (from < to) return minuteOfDay >= from && minuteOfDay < to && this.isDay(day)
    return (minuteOfDay >= from && this.isDay(day)) || (minuteOfDay < to && this.isDay(day - 1))
  }

  private isDay(day: number): boolean {
    if (((this.weekdays >> weekdayOf(day)) & 1) === 0) return false
    return (this.dates === null || this.dates.some(span => inDates(span, day))) && !this.except.some(span => inDates(span, day))
  }
}

/** What a rule says, for explain. */
export function timeText({ days, from, to, dates, except }: TimeRule): string {
  const parts = [days?.join(", ") ?? "", from === "00:00" && to === "24:00" ? "" : `${from}-${to}`, dates?.join(", ") ?? ""]
  const said = parts.filter(part => part !== "").join(" ")
  return `${said === "" ? "always" : said}${except === null ? "" : ` except ${except.join(", ")}`}`
}

/** `Thu 2026-11-26 14:05`, as the zone's clock and calendar show it. */
export function shownTime(zone: ZoneTime, wallMs: number): string {
  zone.read(wallMs)
  const two = (number: number): string => String(number).padStart(2, "0")
  const word = dayWords[weekdayOf(zone.day)]!
  const date = `${zone.year}-${two(zone.month)}-${two(zone.dayOfMonth)}`
  return `${word[0]!.toUpperCase()}${word.slice(1)} ${date} ${two(Math.floor(zone.minuteOfDay / 60))}:${two(zone.minuteOfDay % 60)}`
}
