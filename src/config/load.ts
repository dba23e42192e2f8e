import { dirname, resolve } from "node:path"
import { checkConfig } from "./check/check.ts"
import { partialSubject, wholeSubject } from "./check/subject.ts"
import { findingsOf } from "./issue-findings.ts"
import { sentence } from "./issue-sentence.ts"
import {
  type ConfigPath,
  type ConfigSource,
  fileProblem,
  type Finding,
  locate,
  parsePath,
  type Place,
  type Problem,
  sortProblems,
} from "./problem.ts"
import { resolvePaths } from "./resolve-paths.ts"
import { type Config, configSchema } from "./schema.ts"
import { shareFilters } from "./shared-filters.ts"
import { readConfig } from "./source/read.ts"
import { depthMax, readYaml } from "./source/yaml.ts"
import { statSync } from "node:fs"

export type LoadResult =
  | {
      readonly ok: true
      readonly config: Config
      readonly warnings: readonly Problem[]
      /** The config file, or the fragments of a directory. Files that the config names are not among them. */
      readonly files: readonly string[]
      /** Directory that relative paths count from. */
      readonly baseDir: string
      /** The config, or a fragment, is a script: functions in it cannot be sent to another thread. */
      readonly script: boolean
      /** Where something of the model is written, by its path as texts have it: `routes[0].filters[1].jwt`. */
      place(path: string): Place
    }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly files: readonly string[] }

/**
 * Reads, validates and checks a config file or a directory of fragments. Never throws: everything that is wrong comes back, all of it
 * at once, in the order of the file. It only reads; nothing is bound, dialled or resolved.
 */
export async function loadConfig(path: string): Promise<LoadResult> {
  const file = resolve(path)
  const { source, problems, files, script } = await readConfig(file)
  if (source === null) return { ok: false, problems: sortProblems(problems), files }
  const baseDir = isDirectory(file) ? file : dirname(file)
  return finish(script ? validateScript(source, problems, baseDir) : validate(source, problems, baseDir), files, script)
}

/** The same for a text, as YAML or JSON. Relative paths count from the directory of `fileName`. */
export function parseConfig(text: string, fileName = "bothways.yaml"): LoadResult {
  const { source, problems } = readYaml(text, fileName)
  const files = [fileName]
  if (source === null) return { ok: false, problems: sortProblems(problems), files }
  return finish(validate(source, problems, dirname(resolve(fileName))), files, false)
}

function finish(validated: Validated, files: readonly string[], script: boolean): LoadResult {
  return validated.ok ? { ...validated, files, script } : { ...validated, files }
}

type Validated =
  | { ok: true; config: Config; warnings: Problem[]; baseDir: string; place: (path: string) => Place }
  | { ok: false; problems: Problem[] }

/** A script's object may have getters, and those may throw. */
function validateScript(source: ConfigSource, before: readonly Problem[], baseDir: string): Validated {
  try {
    return validate(source, before, baseDir)
  } catch (error) {
    return { ok: false, problems: [...before, fileProblem(source.file, `cannot be read: ${error instanceof Error ? error.message : String(error)}`)] }
  }
}

function validate(source: ConfigSource, before: readonly Problem[], baseDir: string): Validated {
  const raw = source.value
  if (raw === null || raw === undefined) return { ok: false, problems: [...before, locate(source, emptyFinding)] }
  const parsed = configSchema.safeParse(raw, { error: sentence })
  const config = parsed.success ? resolvePaths(shareFilters(parsed.data), baseDir) : null
  const slips = [...(parsed.success ? [] : findingsOf(parsed.error.issues, raw)), ...strangeKeys(raw)]
  // A config that is no map at all has one problem, not one and the lack of listeners; and what is there twice makes the rest doubtful.
  const checkable = before.length === 0 && !slips.some(slip => slip.path.length === 0 && slip.part === "value")
  const findings = checkable ? checkConfig(config ? wholeSubject(config, raw, baseDir) : partialSubject(raw, baseDir)) : []
  const problems = sortProblems([...before, ...[...slips, ...findings].map(finding => locate(source, finding))])
  if (config === null || problems.some(problem => problem.severity === "error")) return { ok: false, problems }
  return { ok: true, config, warnings: problems, baseDir, place: path => source.place(parsePath(path), "value") }
}

/** zod drops a key `__proto__` in silence, so that nobody's prototype is set; here it is an unknown key like any other. */
function strangeKeys(raw: unknown, path: ConfigPath = [], above: readonly unknown[] = []): Finding[] {
  if (typeof raw !== "object" || raw === null || above.includes(raw) || above.length > depthMax) return []
  const here = Array.isArray(raw) ? [...raw.entries()] : Object.entries(raw)
  return here.flatMap(([key, value]) => {
    const at = [...path, key]
    if (key === "__proto__") return [{ severity: "error", path: at, part: "key", message: 'unknown key "__proto__"' } as const]
    return strangeKeys(value, at, [...above, raw])
  })
}

const emptyFinding = { severity: "error", path: [], part: "value", message: "the config is empty; it needs at least listeners and routes" } as const

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
