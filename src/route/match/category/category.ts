import { nameSchema } from "../../../base/index.ts"
import { type Exchange, notesOf } from "../../../flow/index.ts"
import { defineMatcher, type Match, type MatcherDeps, type NameList } from "../../../plugin/index.ts"
import { anyOf, listed, type OneOrMore, oneOrMore } from "../../one-or-more.ts"

function listsOf(categories: OneOrMore<string>, deps: MatcherDeps | undefined): NameList[] {
  return listed(categories).flatMap(category => {
    if (deps?.lists === undefined) throw new Error(`the category "${category}" cannot be read here`)
    return deps.lists.ofCategory(category)
  })
}

/** What is noted is true of the site whether the route wins or not; the first category that is found stays. */
function compile(categories: OneOrMore<string>, deps?: MatcherDeps): Match {
  const lists = listsOf(categories, deps)
  return x => {
    for (let i = 0; i < lists.length; i++) {
      if (!lists[i]!.has(x.host)) continue
      const notes = notesOf(x)
      if (notes.category === "") notes.category = lists[i]!.category
      return true
    }
    return false
  }
}

function found(categories: OneOrMore<string>, x: Exchange, deps?: MatcherDeps): string {
  const list = listsOf(categories, deps).find(one => one.has(x.host))
  return list === undefined ? "" : `${list.category}, list ${list.name} has ${x.host.slice(list.find(x.host))}`
}

export default defineMatcher<OneOrMore<string>>({
  name: "category",
  summary: "The category of the site, from the lists under `lists`: a word, or a list of words of which one must hold.",
  options: oneOrMore(nameSchema, 'category such as "ads"'),
  compile,
  found,
  describe: (categories, x) => `host is ${x.host === "" ? "missing" : x.host}, in no list of category ${anyOf(listed(categories))}`,
  lists: categories => listed(categories).map((name, i) => ({ kind: "category", name, at: typeof categories === "string" ? [] : [i] })),
})
