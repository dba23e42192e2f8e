import { z } from "zod"
import { defineMatcher, type Match } from "../../../plugin/index.ts"
import { anyOf, listed, type OneOrMore, oneOrMore } from "../../one-or-more.ts"
import { TextGlob } from "../../text-glob.ts"

type UserOption = string | boolean

const userSchema: z.ZodType<UserOption> = z.union([z.string().min(1, "the name is empty; false stands for nobody"), z.boolean()])

function compile(options: OneOrMore<UserOption>): Match {
  const wanted = listed(options)
  const names = wanted.filter(name => typeof name === "string")
  const anybody = wanted.includes(true)
  const nobody = wanted.includes(false)
  const exact = new Set(names.filter(name => !name.includes("*")))
  const globs = names.filter(name => name.includes("*")).map(name => new TextGlob(name))
  return x => {
    const { user } = x
    if (user === "") return nobody
    if (anybody || exact.has(user)) return true
    for (let i = 0; i < globs.length; i++) if (globs[i]!.test(user)) return true
    return false
  }
}

function wantedOf(options: OneOrMore<UserOption>): string {
  return anyOf(listed(options).map(name => (name === true ? "anybody" : name === false ? "nobody" : name)))
}

export default defineMatcher<OneOrMore<UserOption>>({
  name: "user",
  summary: "Who is logged in: a name, a name with stars such as `*@school.example`, true (anybody), false (nobody), or a list. Case counts.",
  options: oneOrMore(userSchema, 'name of a user such as "alice" or "*@school.example", true or false'),
  compile,
  describe: (options, x) => `${x.user === "" ? "nobody is logged in" : `the user is ${x.user}`}, not ${wantedOf(options)}`,
})
