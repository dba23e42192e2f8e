import { z } from "zod"
import { defineMatcher, type Match } from "../../../plugin/index.ts"
import { anyOf, listed, type OneOrMore, oneOrMore } from "../../one-or-more.ts"
import { TextGlob } from "../../text-glob.ts"

/** The groups of most users are few, and so are those of a rule: two small lists. */
function compile(options: OneOrMore<string>): Match {
  const wanted = listed(options).map(name => new TextGlob(name))
  return x => {
    const { notes } = x
    if (notes === null) return false
    const { groups } = notes
    for (let i = 0; i < groups.length; i++) {
      for (let j = 0; j < wanted.length; j++) if (wanted[j]!.test(groups[i]!)) return true
    }
    return false
  }
}

export default defineMatcher<OneOrMore<string>>({
  name: "group",
  summary: "A group of the user, as whoever logged them in says: a name, a name with stars, or a list of which one must be among the user's.",
  options: oneOrMore(z.string().min(1), 'name of a group such as "pupils"'),
  compile,
  describe: (options, x) => {
    const groups = x.notes?.groups ?? []
    const said = groups.length === 0 ? "in no group" : `in ${groups.join(", ")}`
    return `the user is ${said}, not in ${anyOf(listed(options))}`
  },
})
