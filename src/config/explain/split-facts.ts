import type { Exchange } from "../../flow/index.ts"
import { armRoutes, choiceNotes } from "../compile/split.ts"
import type { RouteConfig } from "../schema.ts"
import type { SplitFacts } from "./explanation.ts"

/** The route as it is for the arm that an exchange has; for the first arm when the way ended before the choice. Itself when it is no split. */
export function armRoute(route: RouteConfig, x: Exchange): RouteConfig {
  const arms = armRoutes(route)
  const cluster = x.plan?.route.cluster ?? ""
  return arms.find(({ to }) => to.kind === "cluster" && to.cluster === cluster) ?? arms[0]!
}

/** Which arm of a split it is and why; null = the route is no split. */
export function splitFacts({ to }: RouteConfig, x: Exchange): SplitFacts | null {
  if (to.kind !== "split") return null
  const { arms } = to.split
  const sum = arms.reduce((total, arm) => total + arm.weight, 0)
  const shares = arms.map(({ name, weight }) => ({ name, share: weight / sum }))
  const note = choiceNotes.get(x)
  if (note === undefined) return { arm: null, because: "the way ends before the choice", arms: shares }
  return { arm: arms[note.arm]!.name, because: note.because, arms: shares }
}
