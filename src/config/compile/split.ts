import type { Exchange, Plan } from "../../flow/index.ts"
import type { ClusterSteps } from "../../upstream/index.ts"
import { matchers } from "../features.gen.ts"
import type { RouteConfig } from "../schema.ts"
import type { MatchConfig } from "../schema/match.ts"
import type { SplitConfig } from "../schema/split.ts"
import type { CompileDeps } from "./compile-deps.ts"
import { type MatchParts, matcherDeps } from "./match.ts"
import { SplitShares } from "./split-shares.ts"
import { type ChoiceNote, SplitStep } from "./split-step.ts"
import { SplitZone } from "./split-zone.ts"
import type { StepList } from "./step-list.ts"

/** One arm while its plan is put together. */
export interface Arm {
  /** The route as it would be if this arm's cluster were all that it has. */
  readonly route: RouteConfig
  /** Identify, access and the choice, which all arms share, to be gone on with. */
  readonly list: StepList
  counted(steps: ClusterSteps): ClusterSteps
  /** Step behind the cache; null = none. */
  readonly tell: SplitStep["tell"] | null
}

/** Why exchanges have their arms; only explain's plans leave something here. */
export const choiceNotes = new WeakMap<Exchange, ChoiceNote>()

/** The route for each of its arms; itself when it is no split. */
export function armRoutes(route: RouteConfig): readonly RouteConfig[] {
  const { to } = route
  return to.kind === "split" ? to.split.arms.map(({ cluster }): RouteConfig => ({ ...route, to: { kind: "cluster", cluster } })) : [route]
}

/**
 * A split is a choice between whole plans, each compiled as that of an ordinary route to the arm's cluster: its timeouts, retries, sessions and fields, and a cache that tells
 * the arms apart because it tells destinations apart. All begin with the same steps, so that the choice, which is the last of these, can swap one for another.
 * `slot`: two state slots that nobody has. `planOf` compiles the rest.
 */
export function compileSplit(
  route: RouteConfig,
  split: SplitConfig,
  parts: { deps: CompileDeps; list: StepList; slot: number },
  planOf: (arm: Arm) => Plan,
): Plan {
  const { deps, list, slot } = parts
  const { key, bytes } = SplitZone.memoryOf(route.name, split)
  const zone = new SplitZone(deps.shared?.(key, bytes) ?? new SharedArrayBuffer(bytes))
  const step = new SplitStep({
    config: split,
    zone,
    shares: new SplitShares(split, zone),
    time: deps.time,
    matches: split.arms.map(arm => anyOf(arm.match, deps)),
    slot,
    notes: deps.watch === undefined ? null : choiceNotes,
  })
  list.add("split", "split", step.choose)
  const plans = armRoutes(route).map((of, i) =>
    planOf({
      route: of,
      list: list.fork(split.arms[i]!.cluster),
      counted: steps => step.counted(steps, i),
      tell: step.setsCookie ? step.tell : null,
    }),
  )
  step.complete(plans)
  // Until the choice, a request is for no cluster.
  return { ...plans[0]!, route: { ...plans[0]!.route, cluster: "" } }
}

/** Whether one of the matches holds; null = none is given. `from`: what they may ask for. */
export function anyOf(matches: readonly MatchConfig[] | null, from?: MatchParts): ((x: Exchange) => boolean) | null {
  if (matches === null || matches.length === 0) return null
  const deps = from === undefined ? undefined : matcherDeps(from)
  const all = matches.map(match => {
    const rules = match.rules.map(rule => matchers.find(matcher => matcher.name === rule.name)!.compile(rule.options, deps))
    if (match.when !== null) rules.push(match.when)
    return (x: Exchange): boolean => rules.every(holds => holds(x))
  })
  return x => all.some(holds => holds(x))
}
