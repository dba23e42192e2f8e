import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { type ConfigInput, loadConfig, type LoadResult, parseConfig } from "../config/index.ts"
import { UsageError } from "./cli/usage-error.ts"

/** Where the config comes from, at the start and at each reload. */
export interface ConfigSource {
  /** For status and messages: the path, or the command that it was built by. */
  readonly name: string
  /** File or directory to watch, null = none. */
  readonly path: string | null
  /** Command-line flags that stand for a place in the config, such as `listeners.reverse.bind` → `--listen`. */
  readonly flags: Readonly<Record<string, string>>
  load(): Promise<LoadResult>
}

export function fileSource(path: string): ConfigSource {
  const file = resolve(path)
  return { name: file, path: file, flags: {}, load: () => loadConfig(file) }
}

/** A config that a command built in memory. It takes the same way through parser and checks as a file. */
export function memorySource(name: string, input: ConfigInput, flags: Readonly<Record<string, string>> = {}): ConfigSource {
  const text = JSON.stringify(input)
  return { name, path: null, flags, load: async () => parseConfig(text, name) }
}

const defaultNames = ["bothways.yaml", "bothways.yml", "bothways.json", "bothways.config.ts"]

/** The config that was named, or the one in this directory. */
export function findConfig(given: string | undefined, directory = process.cwd()): string {
  if (given !== undefined) return given
  const found = defaultNames.find(name => existsSync(resolve(directory, name)))
  if (found === undefined)
    throw new UsageError(`no config was named and there is none here (${defaultNames.join(", ")}); \`bothways demo\` needs none`)
  return found
}
