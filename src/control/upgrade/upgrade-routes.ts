import { parseDuration } from "../../base/index.ts"
import { type AdminFeature, adminJson } from "../admin/admin-feature.ts"
import type { UpgradeOutcome } from "./upgrader.ts"

/** POST /upgrade, with `timeout` how long the new process may take. `upgrade`: null = the usual limit. */
export function upgradeRoutes(upgrade: (timeoutMs: number | null) => Promise<UpgradeOutcome>): AdminFeature {
  return {
    change: {
      "/upgrade": async query => {
        const given = query.get("timeout")
        const timeoutMs = given === null ? null : parseDuration(given)
        if (given !== null && (timeoutMs === null || timeoutMs <= 0)) return adminJson(400, { error: "timeout: expected a duration such as 60s" })
        const outcome = await upgrade(timeoutMs)
        return outcome.ok ? adminJson(200, outcome) : adminJson(409, { error: "not upgraded; the running process serves on", ...outcome })
      },
    },
  }
}
