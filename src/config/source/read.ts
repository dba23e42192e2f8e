import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { fileTrouble } from "../../base/index.ts"
import { fileProblem, type Problem } from "../problem.ts"
import { mergeSources } from "./merge.ts"
import { readScript } from "./script.ts"
import { readYaml, type SourceResult } from "./yaml.ts"

/** Octets of one config file. */
export const fileBytesMax = 16 * 1024 ** 2

const scriptEnding = /\.[cm]?[jt]s$/
const scriptFragment = /\.config\.[cm]?[jt]s$/
const dataEnding = /\.(?:ya?ml|json)$/

export type ReadResult = SourceResult & {
  /** Files that were read, or would have been. */
  readonly files: readonly string[]
  /** A script among them: its functions cannot be sent to another thread, which must load it itself. */
  readonly script: boolean
}

/** Reads a config by the ending of its name: scripts are run, everything else is YAML or JSON. A directory is read as its fragments, in the order of their names. */
export async function readConfig(path: string): Promise<ReadResult> {
  const kind = kindOf(path)
  if (typeof kind !== "boolean") return { source: null, problems: [kind], files: [path], script: false }
  if (!kind) return { ...(await readOne(path)), files: [path], script: scriptEnding.test(path) }
  const files = fragmentsOf(path)
  if (files.length === 0)
    return {
      source: null,
      problems: [fileProblem(path, "the directory has no fragments: expected files that end in .yaml, .yml, .json or .config.ts")],
      files: [],
      script: false,
    }
  const results = await Promise.all(files.map(readOne))
  return { ...mergeSources(path, results), files, script: files.some(file => scriptEnding.test(file)) }
}

/** True for a directory, false for a file. */
function kindOf(path: string): boolean | Problem {
  try {
    return statSync(path).isDirectory()
  } catch (error) {
    return fileProblem(path, fileTrouble(error))
  }
}

function fragmentsOf(directory: string): string[] {
  // A script is run: only one that calls itself a config may be, for a directory may hold any other program.
  const names = readdirSync(directory).filter(name => !name.startsWith(".") && (dataEnding.test(name) || scriptFragment.test(name)))
  return names.sort().map(name => join(directory, name))
}

async function readOne(file: string): Promise<SourceResult> {
  const text = readText(file)
  if (typeof text !== "string") return { source: null, problems: [text] }
  return scriptEnding.test(file) ? await readScript(text, file) : readYaml(text, file)
}

function readText(file: string): string | Problem {
  try {
    if (statSync(file).size > fileBytesMax) return fileProblem(file, `larger than ${fileBytesMax / 1024 ** 2} MB; this is no config`)
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file))
  } catch (error) {
    return fileProblem(file, error instanceof TypeError ? "not UTF-8 text" : fileTrouble(error))
  }
}
