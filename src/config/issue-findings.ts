import type { z } from "zod"
import { nearest } from "../base/index.ts"
import { type IssueFacts, joinOr, shown } from "./issue-sentence.ts"
import { type ConfigPath, type Finding, pathText, valueAt } from "./problem.ts"

type Issue = z.core.$ZodIssue & IssueFacts

/** Turns zod's issues into findings: unions become one sentence, every unknown key gets its own. `raw` is what was parsed. */
export function findingsOf(issues: readonly z.core.$ZodIssue[], raw: unknown): Finding[] {
  const findings = issues.flatMap(issue => flatten(issue, raw)).flatMap(issue => findingsOfIssue(issue, raw))
  // `bnd: ":80"` is one slip, not an unknown key and a missing one.
  const meant = new Set(
    findings.flatMap(({ path, part, suggestion }) => (part === "key" && suggestion ? [pathText([...path.slice(0, -1), suggestion])] : [])),
  )
  return findings.filter(({ path, part }) => part === "key" || isThere(raw, path) || !meant.has(pathText(path)))
}

function findingsOfIssue(issue: Issue, raw: unknown): Finding[] {
  const path = issue.path.map(part => (typeof part === "number" ? part : String(part)))
  if (issue.code === "unrecognized_keys") return issue.keys.map(key => unknownKey([...path, key], key, issue))
  if (issue.unknown !== undefined) return [unknownKey([...path, issue.unknown], issue.unknown, issue)]
  if (issue.code === "invalid_key") return [finding(path, "key", `${shown(path[path.length - 1])} is no valid name: ${issue.message}`, issue)]
  if (path.length > 0 && !isThere(raw, path)) return [missing(path, issue)]
  return [valueFinding(path, issue, valueAt(raw, path))]
}

function isThere(raw: unknown, path: ConfigPath): boolean {
  const value = valueAt(raw, path)
  return value !== undefined
}

function missing(path: ConfigPath, issue: Issue): Finding {
  const last = path[path.length - 1]!
  const name = typeof last === "number" ? `entry ${last}` : JSON.stringify(last)
  const wanted = issue.wanted ?? /^expected (.*?)(?:, got .*)?$/.exec(issue.message)?.[1]
  return finding(path, "value", wanted ? `${name} is missing; expected ${wanted}` : `${name} is missing`, { ...issue, wanted })
}

function unknownKey(path: ConfigPath, key: string, { allowed = [], noun = "key" }: IssueFacts): Finding {
  if (key === "<<") return finding(path, "key", 'merge keys ("<<") are not supported; write the values out', {})
  const suggestion = nearest(key, allowed) ?? undefined
  const tail = suggestion ? `; did you mean ${JSON.stringify(suggestion)}?` : allowed.length > 0 ? `; expected ${joinOr(allowed)}` : ""
  return { ...finding(path, "key", `unknown ${noun} ${shown(key)}${tail}`, { wanted: joinOr(allowed) }), ...(suggestion ? { suggestion } : {}) }
}

function valueFinding(path: ConfigPath, issue: Issue, value: unknown): Finding {
  const instead = issue.instead ?? switchWord(issue, value)
  const near = instead === undefined && typeof value === "string" && issue.allowed ? (nearest(value, issue.allowed) ?? undefined) : undefined
  const said = issue.instead !== undefined && issue.message.includes(issue.instead)
  const tail = said
    ? ""
    : instead
      ? `; write ${issue.instead ? JSON.stringify(instead) : instead}`
      : near
        ? `; did you mean ${JSON.stringify(near)}?`
        : unhelped(issue)
  const suggestion = instead ?? near
  return { ...finding(path, "value", `${issue.message}${tail}`, issue), ...(suggestion === undefined ? {} : { suggestion }) }
}

// YAML 1.1 read these words as true and false; 1.2 does not.
const switchWords: Readonly<Record<string, string>> = { yes: "true", on: "true", no: "false", off: "false" }

function switchWord(issue: Issue, value: unknown): string | undefined {
  const word = typeof value === "string" ? value.toLowerCase() : ""
  const meant = Object.hasOwn(switchWords, word) ? switchWords[word]! : ""
  return issue.wants?.includes(meant) ? meant : undefined
}

// "unknown balancer "x"" alone would leave the reader without the words that are known.
function unhelped(issue: Issue): string {
  return issue.noun && issue.allowed && issue.allowed.length > 0 ? `; expected ${joinOr(issue.allowed)}` : ""
}

function finding(path: ConfigPath, part: "key" | "value", message: string, { wanted }: IssueFacts): Finding {
  return { severity: "error", path, part, message, ...(wanted ? { expected: wanted } : {}) }
}

/** Replaces a union's issue by those of the branch that came furthest, with whole paths. */
function flatten(issue: Issue, raw: unknown): Issue[] {
  if (issue.code !== "invalid_union" || issue.errors.length === 0) return [issue]
  const value = valueAt(raw, issue.path as ConfigPath)
  const branches = issue.errors.map(errors => errors.flatMap(inner => flatten(inner as Issue, value)))
  const best = Math.max(...branches.map(depthOf))
  const named = branches.flat().find(inner => inner.noun !== undefined && issueDepth(inner) === best)
  if (best === depthWrongWord && named) return [{ ...named, path: issue.path }]
  if (best === depthWrongType || best === depthWrongWord) return [rootSentence(issue, branches.flat(), value)]
  const furthest = branches.filter(branch => depthOf(branch) === best).sort((a, b) => a.length - b.length)[0]!
  return furthest.map(inner => ({ ...inner, path: [...issue.path, ...inner.path] }))
}

const depthWrongType = 0
const depthWrongWord = 1
const depthWrongValue = 2
const depthInside = 3

/** How far a branch got with the value: not even the right type, a word it does not know, the right type with a bad value, or into it. */
function depthOf(branch: readonly Issue[]): number {
  return Math.min(...branch.map(issueDepth))
}

function issueDepth(issue: Issue): number {
  if (issue.path.length > 0 || issue.code === "unrecognized_keys" || issue.unknown !== undefined) return depthInside
  if (issue.code === "invalid_type" || issue.message === "") return depthWrongType
  return issue.code === "invalid_value" ? depthWrongWord : depthWrongValue
}

/** All branches fail at the value itself: what each of them wanted, in one sentence. */
function rootSentence(union: Issue, issues: readonly Issue[], value: unknown): Issue {
  const wants = union.wanted ? [union.wanted] : [...new Set(issues.flatMap(issue => issue.wants ?? (issue.wanted ? [issue.wanted] : [])))]
  const wanted = joinOr(wants)
  const message = union.message || `expected ${wanted}, got ${shown(value)}`
  const code = issues.some(issue => issueDepth(issue) === depthWrongWord) ? "invalid_value" : "invalid_type"
  return { ...union, code, message, wants, wanted, allowed: issues.flatMap(issue => issue.allowed ?? []) } as unknown as Issue
}
