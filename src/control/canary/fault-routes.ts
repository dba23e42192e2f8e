import type { Log } from "../../base/index.ts"
import { type AdminAnswer, type AdminFeature, adminJson } from "../admin/admin-feature.ts"
import type { Zones } from "../shared-zones.ts"

/** The word that all `fault` filters look at: 1 = off. */
const SWITCH = "fault:switch"

/** GET /fault, POST /fault/off and /fault/on: ends a drill at once, in all workers, and goes on with it. */
export function faultFeature(zones: Zones, log: Log): AdminFeature {
  const answer = (set: number | null): AdminAnswer => {
    const memory = zones.get(SWITCH)
    if (memory === undefined) return adminJson(404, { error: "no route of the config has the filter fault" })
    const word = new Int32Array(memory)
    if (set !== null) {
      if (Atomics.exchange(word, 0, set) !== set) log.warn(set === 1 ? "no faults are injected any more" : "faults are injected again")
    }
    return adminJson(200, { injecting: Atomics.load(word, 0) === 0 })
  }
  return { read: { "/fault": () => answer(null) }, change: { "/fault/off": () => answer(1), "/fault/on": () => answer(0) } }
}
