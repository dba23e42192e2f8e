import type { CanaryStatus } from "../../canary/canary-status.ts"
import { columns, count, printable } from "../cache/cell.ts"
import { age } from "../age.ts"
import type { Style } from "../terminal.ts"

const EVENTS_SHOWN = 5

/** Splits as people read them. */
export function canaryText(splits: readonly CanaryStatus[], style: Style): string {
  return splits.length === 0 ? "no route has a split\n" : splits.map(split => splitText(split, style)).join("\n")
}

function splitText(split: CanaryStatus, style: Style): string {
  const { route, state, arms, canary, verdict, why, events } = split
  const paint = state === "rolled-back" || verdict === "worse" ? style.red : state === "running" ? style.yellow : style.green
  const rows = arms.map(arm => [
    `${printable(arm.name)}${arm.name === canary && canary !== "canary" ? " (canary)" : ""}`,
    shareText(arm.share),
    count(arm.requests),
    count(arm.failures),
    arm.requests === 0 ? "" : shareText(arm.failures / arm.requests),
    arm.requests === 0 ? "" : `${arm.medianMs.toPrecision(3)} ms`,
    arm.requests === 0 ? "" : `${arm.slowestPercentMs.toPrecision(3)} ms`,
    arm.forced === 0 ? "" : count(arm.forced),
  ])
  const heading = ["ARM", "SHARE", "REQUESTS", "FAILED", "", "MEDIAN", "99 %", "FORCED"]
  const lines = [
    `route ${style.bold(printable(route))}: ${paint(state)}${nextText(split)}\n`,
    columns([heading, ...rows], [false, true, true, true, true, true, true, true]),
    verdict === "" || why === ""
      ? ""
      : `${verdict === "worse" ? style.red("worse") : verdict === "good" ? style.green("good") : "undecided"}: ${printable(why)}\n`,
    ...events.slice(-EVENTS_SHOWN).map(({ at, what }) => `${style.dim(at)}  ${printable(what)}\n`),
  ]
  return lines.join("")
}

function nextText({ state, auto, next, sinceMs, everyMs }: CanaryStatus): string {
  if (state !== "running") return ""
  const since = `, for ${age(sinceMs)}`
  if (next === null) return `${since}; no further step`
  const left = Math.max(0, everyMs - sinceMs)
  if (!auto) return `${since}; next ${shareText(next)}, by command`
  return `${since}; next ${shareText(next)} ${left === 0 ? "when the numbers allow it" : `in ${age(left)} at the earliest`}`
}

/** `12.5 %`, never rounded to what it is not: 0 and 100. */
function shareText(share: number): string {
  const percent = share * 100
  const short = Number(percent.toFixed(percent < 1 ? 3 : 1))
  return `${short === 100 && percent < 100 ? "99.9" : short} %`
}
