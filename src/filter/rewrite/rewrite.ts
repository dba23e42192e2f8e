import { z } from "zod"
import { FAULT, field, listOf, maybe, patternTrouble, TemplateError, TextPattern } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, type Verdict } from "../../flow/index.ts"
import { rulePath, rulePathResult } from "../../http/index.ts"
import { defineFilter } from "../../plugin/index.ts"
import { compileValue } from "../variables.ts"
import { restorePrefix } from "./restore-prefix.ts"
import { editQuery, type GroupTemplate, type PathChange, type QueryEdit, replacePattern, setPath, setTarget, strip } from "./rewrite-path.ts"

const prefixSchema = z
  .string()
  .regex(/^\/[\x21-\x7e]*[\x21-\x2e\x30-\x7e]$/, "expected a path such as /api, without a slash at its end")
  .refine(
    path => rulePath(path) === path && !rulePathResult.refused,
    "expected the path in the form that rules see: no escapes of plain characters, no dot segments",
  )

const targetSchema = z.string().regex(/^\/[\x21-\x7e]*$/, "expected a path that begins with /, percent-encoded")

const valueSchema = z
  .union([z.string(), z.number(), z.boolean()])
  .transform(String)
  .superRefine((value, context) => {
    try {
      compileValue(value)
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error
      context.addIssue({ code: "custom", message: error.message })
    }
  })

const patternSchema = z
  .strictObject({
    match: z
      .string()
      .superRefine((source, context) => {
        const trouble = patternTrouble(source)
        if (trouble !== "") context.addIssue({ code: "custom", message: trouble })
      })
      .describe("RE2 pattern, matched against the path in the form that rules see."),
    to: targetSchema.describe("What takes the place of the whole path, in which $1 to $9 are the groups; with a ? also of the query."),
  })
  .superRefine(({ match, to }, context) => {
    if (patternTrouble(match) !== "") return
    const groups = new TextPattern(match).groupCount
    const beyond = groupsOf(to).find(part => typeof part === "number" && part > groups)
    if (beyond !== undefined) context.addIssue({ code: "custom", path: ["to"], message: `$${beyond} is not there: the pattern has ${groups} groups` })
  })

const name = z.string().min(1)

const options = z
  .strictObject({
    strip: maybe(listOf(prefixSchema), "Takes this prefix off the path; of a list the first that is there. X-Forwarded-Prefix names it."),
    pattern: maybe(listOf(patternSchema), "Replaces the path by a pattern; of a list the first that matches."),
    path: maybe(targetSchema, "Replaces the whole path; with a ? also the query."),
    prefix: maybe(prefixSchema, "Puts this in front of the path."),
    query: field(
      z.strictObject({
        set: field(z.record(name, valueSchema), {}, "Replaces all parameters of the name by one with this value; an empty value leaves none."),
        add: field(z.record(name, valueSchema), {}, "Adds a parameter beside those that are there; an empty value adds none."),
        remove: field(z.array(name), [], "Removes all parameters of the name."),
      }),
      {},
      "Parameters of the query; values may hold variables.",
    ),
    restore: field(z.boolean(), true, "Puts a prefix that was taken off back into Location and Content-Location of the answer, unless it is there."),
  })
  .describe("Changes the path and the query that go on.")

type Options = z.output<typeof options>

/** Text and groups of `/new/$1`. `$$` is a dollar sign. */
function groupsOf(text: string): GroupTemplate {
  return text.split(/(\$[1-9$])/).map(part => (/^\$[1-9]$/.test(part) ? Number(part[1]) : part === "$$" ? "$" : part))
}

function compileChanges(settings: Options): PathChange[] {
  const changes: PathChange[] = []
  const { strip: prefixes, pattern, path, prefix, query } = settings
  // /a without /a is nothing, which only a slash can stand for; of /a/ a slash is left, which goes on behind what is put in front.
  let isWhole = false
  if (prefixes !== null)
    changes.push(x => {
      const endsInSlash = x.path.endsWith("/")
      const done = stripFirst(x, prefixes)
      isWhole = !endsInSlash && x.path === "/"
      return done
    })
  if (pattern !== null) changes.push(compilePatterns(pattern))
  if (path !== null) changes.push(x => setTarget(x, path))
  if (prefix !== null) changes.push(x => setPath(x, isWhole && x.path === "/" ? prefix : prefix + x.path))
  const edits = [...editsOf(query.set, true), ...editsOf(query.add, false)]
  if (edits.length + query.remove.length > 0)
    changes.push(x => {
      editQuery(x, query.remove, edits)
      return true
    })
  return changes
}

function stripFirst(x: Exchange, prefixes: readonly string[]): boolean {
  const before = x.path
  for (const prefix of prefixes) {
    if (!strip(x, prefix, true)) return false
    if (x.path !== before) return true
  }
  return true
}

function compilePatterns(patterns: NonNullable<Options["pattern"]>): PathChange {
  const all = patterns.map(({ match, to }) => ({ pattern: new TextPattern(match), template: groupsOf(to) }))
  return x => {
    const first = all.find(({ pattern }) => pattern.test(x.rulePath))
    return first === undefined || replacePattern(x, first.pattern, first.template)
  }
}

function editsOf(values: Readonly<Record<string, string>>, replaces: boolean): QueryEdit[] {
  return Object.entries(values).map(([parameter, value]) => ({ name: encodeURIComponent(parameter), replaces, value: compileValue(value) }))
}

export default defineFilter({
  name: "rewrite",
  summary: "Changes the path and the query that go on.",
  options,
  build(settings, deps) {
    const changes = compileChanges(settings)
    const restores = settings.strip !== null && settings.restore
    const slot = restores ? deps.slot() : -1
    return {
      request(x): Verdict {
        // `*` and CONNECT have no path.
        if (x.path.charCodeAt(0) !== 47) return NEXT
        const before = x.path
        for (const change of changes) {
          if (change(x)) continue
          x.fault = FAULT.ambiguousPath
          return FAULT_VERDICT
        }
        if (restores) x.slots[slot] = settings.strip!.find(prefix => before !== x.path && before.startsWith(prefix))
        return NEXT
      },
      ...(restores
        ? {
            response(x: Exchange): Verdict {
              const prefix = x.slots[slot] as string | undefined
              if (prefix !== undefined) restorePrefix(x, prefix)
              return NEXT
            },
          }
        : {}),
      describe: () => describe(settings),
    }
  },
})

function describe({ strip: prefixes, pattern, path, prefix, query }: Options): string {
  const said = [
    prefixes === null ? "" : `strips ${prefixes.join(" or ")}`,
    ...(pattern ?? []).map(({ match, to }) => `${match} to ${to}`),
    path === null ? "" : `path ${path}`,
    prefix === null ? "" : `${prefix} in front`,
    ...Object.keys(query.set).map(key => `sets ${key}`),
    ...Object.keys(query.add).map(key => `adds ${key}`),
    ...query.remove.map(key => `removes ${key}`),
  ]
  return said.filter(part => part !== "").join(", ")
}
