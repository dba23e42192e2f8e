// HOT
import type { Clock } from "../../base/index.ts"

const two = ["00", "01", "02", "03", "04", "05", "06", "07", "08", "09"]
for (let i = 10; i < 60; i++) two.push(String(i))
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

/** Writes the time of the wall clock; what has not changed since the last call is not made again. */
export class WallTime {
  private readonly clock: Clock
  private isoMs = Number.NaN
  private isoText = ""
  private isoSecond = Number.NaN
  private isoPrefix = ""
  private commonSecond = Number.NaN
  private common = ""

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** `2026-11-26T01:07:46.123Z` (RFC 3339, UTC). */
  iso(): string {
    const ms = Math.floor(this.clock.wall())
    if (ms === this.isoMs) return this.isoText
    const second = Math.floor(ms / 1000)
    if (second !== this.isoSecond) {
      this.isoSecond = second
      this.isoPrefix = new Date(second * 1000).toISOString().slice(0, 20)
    }
    const fraction = ms - second * 1000
    this.isoMs = ms
    this.isoText = `${this.isoPrefix}${fraction < 10 ? "00" : fraction < 100 ? "0" : ""}${fraction}Z`
    return this.isoText
  }

  /** `26/Nov/2026:01:07:46 +0000` in the machine's time zone, as Apache and nginx write it. */
  commonLog(): string {
    const second = Math.floor(this.clock.wall() / 1000)
    if (second !== this.commonSecond) {
      this.commonSecond = second
      this.common = commonText(new Date(second * 1000))
    }
    return this.common
  }
}

function commonText(d: Date): string {
  const west = d.getTimezoneOffset()
  const away = Math.abs(west)
  const zone = `${west > 0 ? "-" : "+"}${two[Math.floor(away / 60)]!}${two[away % 60]!}`
  const time = `${two[d.getHours()]!}:${two[d.getMinutes()]!}:${two[d.getSeconds()]!}`
  return `${two[d.getDate()]!}/${months[d.getMonth()]!}/${d.getFullYear()}:${time} ${zone}`
}
