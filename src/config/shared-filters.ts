import type { Finding } from "./problem.ts"
import type { Config } from "./schema.ts"

/** The same config with the filters of all routes in front of each one's own. */
export function shareFilters(config: Config): Config {
  if (config.filters.length === 0) return config
  const shared = config.filters.map(use => ({ ...use, everywhere: true }))
  return { ...config, routes: config.routes.map(route => ({ ...route, filters: [...shared, ...route.filters] })) }
}

/** Findings about filters where they are written: those of all routes stand in one place, and are told once. */
export function placeFindings(findings: readonly Finding[], sharedCount: number): Finding[] {
  if (sharedCount === 0) return [...findings]
  const told = new Set<string>()
  return findings.flatMap(finding => {
    const [section, , list, index, ...rest] = finding.path
    if (section !== "routes" || list !== "filters" || typeof index !== "number") return [finding]
    if (index >= sharedCount) return [{ ...finding, path: [...finding.path.slice(0, 3), index - sharedCount, ...rest] }]
    const path = ["filters", index, ...rest]
    const key = JSON.stringify([path, finding.message])
    if (told.has(key)) return []
    told.add(key)
    return [{ ...finding, path }]
  })
}
