import { FileError, NameSet, NameSetBuilder } from "../../base/index.ts"
import { type ListCounts, ListReader } from "../../route/index.ts"
import type { ListConfig } from "../schema.ts"
import { ChangedFileError, readText } from "./file-text.ts"

/** A list that was read whole. */
export interface LoadedList {
  /** Of a `NameSet`; all threads may look into it. */
  readonly memory: SharedArrayBuffer
  /** Different names. */
  readonly entries: number
  readonly files: readonly LoadedFile[]
}

/** What one of its files had. */
export interface LoadedFile extends ListCounts {
  readonly path: string
  readonly bytes: number
  readonly writtenAt: number
}

/** A list that cannot be used; `at`: keys below it in the config. */
export class ListError extends Error {
  override name = "ListError"
  readonly at: readonly (string | number)[]
  /** A file is still being written: the next look may find it whole. */
  readonly passing: boolean

  constructor(message: string, at: readonly (string | number)[], passing = false) {
    super(message)
    this.at = at
    this.passing = passing
  }
}

/** Reads a list, with a stop whenever a few milliseconds of work are done. `spare`: memory that nobody looks into any more. Throws ListError. */
export function* loadList(config: ListConfig, spare: SharedArrayBuffer | null = null): Generator<void, LoadedList> {
  const names = new NameSetBuilder()
  const own = new ListReader(names, { format: "plain", thirdParty: false })
  for (const name of config.names ?? []) own.feed(`${name}\n`)
  const files: LoadedFile[] = []
  let bytesLeft = config.bytesMax
  for (const [i, path] of (config.files ?? []).entries()) {
    const file = yield* loadFile(path, bytesLeft, config, names, ["files", i])
    bytesLeft -= file.bytes
    files.push(file)
  }
  const memory = yield* names.slices(spare)
  const entries = new NameSet(memory).names
  const where = config.files === null ? ["names"] : ["files"]
  if (config.files !== null && entries < config.entriesMin) throw new ListError(tooFew(entries, files, config), where)
  if (entries > config.entriesMax) throw new ListError(`${pathsOf(files)}: ${entries} different names; entriesMax is ${config.entriesMax}`, where)
  return { memory, entries, files }
}

/** The same at once, for what has no clients waiting. */
export function loadListNow(config: ListConfig): LoadedList {
  const steps = loadList(config)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** The same beside other work of this thread: everybody else has a turn between two slices. */
export async function loadListSlowly(config: ListConfig, spare: SharedArrayBuffer | null = null): Promise<LoadedList> {
  const steps = loadList(config, spare)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    await new Promise<void>(resolve => setImmediate(resolve))
  }
}

function* loadFile(
  path: string,
  bytesMax: number,
  config: ListConfig,
  names: NameSetBuilder,
  at: readonly (string | number)[],
): Generator<void, LoadedFile> {
  const reader = new ListReader(names, { format: config.format, thirdParty: config.thirdParty === "take" })
  try {
    const file = yield* readText(path, bytesMax, text => reader.feed(text))
    reader.end()
    const { counts } = reader
    if (counts.malformed * 2 > counts.rules) throw new FileError(path, garbage(counts, config.format))
    return { path, ...file, ...counts }
  } catch (error) {
    if (error instanceof FileError) throw new ListError(error.message, at, error instanceof ChangedFileError)
    throw error
  }
}

function garbage({ rules, malformed, firstMalformed, firstMalformedLine }: ListCounts, format: string): string {
  const what = format === "auto" ? "of no known format" : `not of the format ${format}`
  return `${malformed} of ${rules} lines are ${what}; the first is line ${firstMalformedLine}, ${JSON.stringify(firstMalformed)}`
}

function tooFew(entries: number, files: readonly LoadedFile[], { entriesMin }: ListConfig): string {
  const rules = files.reduce((sum, file) => sum + file.rules, 0)
  const skipped = rules > 0 && entries === 0 ? ` (none of its ${rules} lines is a rule about a name as a whole)` : ""
  return `${pathsOf(files)}: ${entries === 0 ? "no names" : `only ${entries} names`}${skipped}; entriesMin is ${entriesMin}`
}

function pathsOf(files: readonly LoadedFile[]): string {
  return files.map(({ path }) => path).join(", ")
}
