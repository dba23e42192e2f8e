import { nearest, parseRatio } from "../../base/index.ts"
import { type AdminAnswer, type AdminFeature, type AdminHandler, adminJson } from "../admin/admin-feature.ts"
import type { Canaries } from "./canaries.ts"
import type { CanaryRun } from "./canary-run.ts"

/** GET /canary, and POST /canary/start, step, promote and abort with ?route= (may be left out where there is one split) and &to=. */
export function canaryFeature(canaries: Canaries): AdminFeature {
  return {
    read: {
      "/canary": query => {
        const name = query.get("route")
        if (name === null) return adminJson(200, { splits: canaries.all().map(run => run.status()) })
        return withRun(canaries, query, run => adminJson(200, { splits: [run.status()] }))
      },
    },
    change: {
      "/canary/start": changing(canaries, (run, to) => run.start(to)),
      "/canary/step": changing(canaries, (run, to) => run.step(to)),
      "/canary/promote": changing(canaries, run => run.promote()),
      "/canary/abort": changing(canaries, run => run.abort()),
    },
  }
}

function changing(canaries: Canaries, change: (run: CanaryRun, to: number | null) => string): AdminHandler {
  return query =>
    withRun(canaries, query, run => {
      const given = query.get("to")
      const to = given === null ? null : parseRatio(/^0?\.\d{1,9}$|^[01]$/.test(given) ? Number(given) : given)
      if (given !== null && to === null) return adminJson(400, { error: `to: expected a share such as 30% or 0.3, got ${JSON.stringify(given)}` })
      const problem = change(run, to)
      return problem === "" ? adminJson(200, { splits: [run.status()] }) : adminJson(409, { error: problem })
    })
}

function withRun(canaries: Canaries, query: URLSearchParams, answer: (run: CanaryRun) => AdminAnswer): AdminAnswer {
  const runs = canaries.all()
  const name = query.get("route")
  const names = runs.map(run => run.route)
  if (runs.length === 0) return adminJson(404, { error: "no route of the config has a split" })
  if (name === null && runs.length > 1) return adminJson(400, { error: `which route? There are ${names.join(", ")}` })
  const run = name === null ? runs[0] : runs.find(one => one.route === name)
  if (run !== undefined) return answer(run)
  const near = nearest(name!, names)
  return adminJson(404, {
    error: `no route ${JSON.stringify(name)} with a split; ${near === null ? `there is ${names.join(", ")}` : `did you mean ${near}?`}`,
  })
}
