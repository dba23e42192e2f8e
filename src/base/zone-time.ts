const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

export const periodWords = ["hour", "day", "week", "month"] as const

/** A stretch of a calendar. Weeks begin on Monday (ISO 8601). */
export type Period = (typeof periodWords)[number]

/** What is wrong with the name of a time zone, "" when nothing is. */
export function zoneTrouble(zone: string): string {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone })
    return ""
  } catch {
    return `there is no time zone ${JSON.stringify(zone)}; expected a name such as Europe/Berlin or UTC`
  }
}

/** Calendar and clock of one time zone. The calendar is asked once a minute at the most: offsets of zones are whole minutes. */
export class ZoneTime {
  /** The zone's name, also where the machine's was meant. */
  readonly zone: string
  /** Fields of the last `read`. Days are counted from 1970-01-01, which was a Thursday. */
  year = 0
  /** 1 to 12. */
  month = 0
  dayOfMonth = 0
  day = 0
  /** 0 to 1439. */
  minuteOfDay = 0
  private readonly format: Intl.DateTimeFormat
  private minute = Number.NaN

  /** `zone` null = the machine's. */
  constructor(zone: string | null) {
    this.format = new Intl.DateTimeFormat("en-US", {
      ...(zone === null ? {} : { timeZone: zone }),
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
    })
    this.zone = this.format.resolvedOptions().timeZone
  }

  /** Sets the fields to what they are at this time, milliseconds since 1970-01-01 UTC. */
  read(wallMs: number): void {
    const minute = Math.floor(wallMs / MINUTE_MS)
    if (minute === this.minute) return
    this.minute = minute
    const local = this.localOf(minute * MINUTE_MS)
    const date = new Date(local)
    this.year = date.getUTCFullYear()
    this.month = date.getUTCMonth() + 1
    this.dayOfMonth = date.getUTCDate()
    this.day = Math.floor(local / DAY_MS)
    this.minuteOfDay = Math.floor((local - this.day * DAY_MS) / MINUTE_MS)
  }

  /** The number of the period that this time is in: another one, another number. */
  periodNumber(period: Period, wallMs: number): number {
    this.read(wallMs)
    if (period === "hour") return this.day * 24 + Math.floor(this.minuteOfDay / 60)
    if (period === "day") return this.day
    return period === "week" ? weekOf(this.day) : this.year * 12 + this.month - 1
  }

  /** When the period that this time is in ends. */
  periodEnd(period: Period, wallMs: number): number {
    this.read(wallMs)
    if (period === "hour") return this.wallOf((this.day * 24 + Math.floor(this.minuteOfDay / 60) + 1) * HOUR_MS)
    if (period === "day") return this.wallOf((this.day + 1) * DAY_MS)
    if (period === "week") return this.wallOf(((weekOf(this.day) + 1) * 7 - 3) * DAY_MS)
    return this.wallOf(Date.UTC(this.year, this.month, 1))
  }

  /** What the zone's clock shows, as if it were UTC's. */
  private localOf(wallMs: number): number {
    const parts: Record<string, number> = {}
    for (const { type, value } of this.format.formatToParts(wallMs)) parts[type] = Number(value)
    return Date.UTC(parts["year"]!, parts["month"]! - 1, parts["day"], parts["hour"], parts["minute"])
  }

  /** When the zone's clock shows this. Looked for twice, because clocks are set back and forth. */
  private wallOf(local: number): number {
    const guess = local - (this.localOf(local) - local)
    return local - (this.localOf(guess) - guess)
  }
}

/** Monday, 1970-01-05, begins week 1. */
function weekOf(day: number): number {
  return Math.floor((day + 3) / 7)
}
