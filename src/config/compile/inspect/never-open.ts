import type { Lists } from "../../../plugin/index.ts"
import type { InspectConfig } from "../../schema/forward-inspect.ts"
import { privateSites } from "./private-sites/private-sites.ts"
import { SiteSet } from "./site-set.ts"

/** Says whether a site is one that is not opened. */
export type NeverOpen = (host: string) => boolean

/** Compiles `neverOpen`. Throws when a category is not among the lists. */
export function compileNeverOpen({ builtIn, names, categories, except }: InspectConfig["neverOpen"], lists: Lists | undefined): NeverOpen {
  const closed = new SiteSet([...(builtIn ? privateSites : []), ...names])
  const open = new SiteSet(except)
  const byCategory = categories.flatMap(category => {
    if (lists === undefined) throw new Error(`there is no list of the category ${JSON.stringify(category)}`)
    return lists.ofCategory(category)
  })
  return host => !open.has(host) && (closed.has(host) || byCategory.some(list => list.has(host)))
}
