import { z } from "zod"
import { NameSet, NameSetBuilder } from "../../../base/index.ts"
import type { Exchange } from "../../../flow/index.ts"
import { defineMatcher, type Match, type MatcherDeps, type NameList } from "../../../plugin/index.ts"
import { listEntryTrouble, ListReader } from "../../lists/list-reader.ts"
import { anyOf, checkedText } from "../../one-or-more.ts"

const listUse = z.strictObject({
  list: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).describe("Name of a list under the config's `lists`, or several."),
})
const entry = z.union([checkedText(listEntryTrouble), listUse])
const options = z.union([entry, z.array(entry).min(1, { error: "the list is empty; expected at least one name" })])

type Options = z.output<typeof options>

interface Domains {
  readonly names: readonly string[]
  readonly lists: readonly { readonly name: string; readonly at: readonly (string | number)[] }[]
}

function readOptions(given: Options): Domains {
  const names: string[] = []
  const lists: { name: string; at: (string | number)[] }[] = []
  for (const [i, one] of [given].flat().entries()) {
    if (typeof one === "string") names.push(one)
    else
      for (const [j, name] of [one.list].flat().entries())
        lists.push({ name, at: [...(Array.isArray(given) ? [i] : []), "list", ...(Array.isArray(one.list) ? [j] : [])] })
  }
  return { names, lists }
}

function listsOf({ lists }: Domains, deps: MatcherDeps | undefined): NameList[] {
  return lists.map(({ name }) => {
    if (deps?.lists === undefined) throw new Error(`the list "${name}" cannot be read here`)
    return deps.lists.get(name)
  })
}

function setOf(names: readonly string[]): NameSet {
  const builder = new NameSetBuilder()
  const reader = new ListReader(builder, { format: "plain", thirdParty: false })
  for (const name of names) reader.feed(`${name}\n`)
  return new NameSet(builder.build())
}

function compile(given: Options, deps?: MatcherDeps): Match {
  const domains = readOptions(given)
  const sets: readonly { has(host: string): boolean }[] = [...(domains.names.length === 0 ? [] : [setOf(domains.names)]), ...listsOf(domains, deps)]
  const only = sets[0]!
  if (sets.length === 1) return x => only.has(x.host)
  return x => {
    for (let i = 0; i < sets.length; i++) if (sets[i]!.has(x.host)) return true
    return false
  }
}

function found(given: Options, x: Exchange, deps?: MatcherDeps): string {
  const domains = readOptions(given)
  const at = domains.names.length === 0 ? -1 : setOf(domains.names).find(x.host)
  if (at >= 0) return x.host.slice(at)
  const list = listsOf(domains, deps).find(one => one.has(x.host))
  return list === undefined ? "" : `list ${list.name} has ${x.host.slice(list.find(x.host))}`
}

export default defineMatcher<Options>({
  name: "domain",
  summary:
    "The site: a name with all names below it, `*.` and a name for these alone, `{ list: ads }` for a list under `lists`, or several of these.",
  options: options as unknown as z.ZodType<Options>,
  compile,
  found,
  describe(given, x) {
    const { names, lists } = readOptions(given)
    return `host is ${x.host === "" ? "missing" : x.host}, not in ${anyOf([...names, ...lists.map(({ name }) => `list ${name}`)])}`
  },
  lists: given => readOptions(given).lists.map(({ name, at }) => ({ kind: "list", name, at })),
})
