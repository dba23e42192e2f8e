import { existsSync } from "node:fs"
import { dirname } from "node:path"
import type { Finding } from "../problem.ts"
import { error, type Subject, warning } from "./subject.ts"

/** Splits whose parts are each valid and make no sense together, or not in this place. */
export function checkSplits({ config, routeIndex }: Subject): Finding[] {
  const owners = new Map<string, string>()
  return config.routes.flatMap((route, i) => {
    if (route.to.kind !== "split") return []
    const { arms, canaryArm, force, persist } = route.to.split
    const at = ["routes", routeIndex[i]!, "to", "split"]
    const base = canaryArm === 0 ? 1 : 0
    const raw = arms.flatMap((arm, k): Finding[] => {
      const protocol = config.clusters[arm.cluster]?.protocol
      if (protocol !== "tcp" && protocol !== "udp") return []
      return [
        error([...at, "arms", k, "cluster"], `the peers of this cluster get ${protocol.toUpperCase()}, and a split chooses for requests of HTTP`),
      ]
    })
    const idle = arms.flatMap((arm, k): Finding[] =>
      arm.weight > 0 || arm.match !== null || k === canaryArm || k === base || force !== null
        ? []
        : [warning([...at, "arms", k], `nothing ever goes to the arm ${JSON.stringify(arm.name)}: it has weight 0 and no match`)],
    )
    const findings = [...raw, ...idle]
    if (persist === null) return findings
    const owner = owners.get(persist)
    owners.set(persist, owner ?? route.name)
    if (owner !== undefined) findings.push(error([...at, "persist"], `this is the file of the route ${JSON.stringify(owner)} already`))
    if (!existsSync(dirname(persist))) findings.push(error([...at, "persist"], `there is no directory ${dirname(persist)}`))
    return findings
  })
}
