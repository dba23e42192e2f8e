import { z } from "zod"
import { ZoneTime } from "../../../base/index.ts"
import { defineMatcher, type Match, type MatcherDeps } from "../../../plugin/index.ts"
import { shownTime, TimeSpan, timeRuleSchema, timeText, type TimeRule } from "./time-rule.ts"

const MINUTE_MS = 60_000

const options = z.union([timeRuleSchema.transform(rule => [rule]), z.array(timeRuleSchema).min(1)])

function wallOf(deps: MatcherDeps | undefined): () => number {
  const clock = deps?.time?.clock
  return clock === undefined ? Date.now : () => clock.wall()
}

/** Found out once a minute; all other requests of the minute pay for a look at the clock. */
function compile(rules: readonly TimeRule[], deps?: MatcherDeps): Match {
  const wall = wallOf(deps)
  const spans = rules.map(rule => new TimeSpan(rule, new ZoneTime(rule.zone)))
  let minute = Number.NaN
  let held = false
  return () => {
    const now = wall()
    const current = Math.floor(now / MINUTE_MS)
    if (current === minute) return held
    minute = current
    held = spans.some(span => span.holds(now))
    return held
  }
}

function describe(rules: readonly TimeRule[], deps?: MatcherDeps): string {
  const zone = new ZoneTime(rules[0]!.zone)
  return `it is ${shownTime(zone, wallOf(deps)())} in ${zone.zone}, not ${rules.map(timeText).join(" or ")}`
}

export default defineMatcher<readonly TimeRule[]>({
  name: "time",
  summary: "When the request comes: weekdays, times of day (over midnight too) and dates in a time zone; a map, or a list of which one must hold.",
  options: options as unknown as z.ZodType<readonly TimeRule[]>,
  compile,
  describe: (rules, _x, deps) => describe(rules, deps),
})
