import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from "node:fs"
import { z } from "zod"
import { endpointSchema } from "../../config/index.ts"
import type { PeerChanges } from "./peer-changes.ts"

/** The changes of one cluster, and which peers its config had. */
export interface KeptChanges {
  /** The config's peers when the changes were made; of another config they say nothing. */
  readonly of: string
  readonly changes: PeerChanges
}

export type KeptByCluster = Readonly<Record<string, KeptChanges>>

const FILE_BYTES_MAX = 4 * 1024 * 1024
const weightSchema = z.int().min(0).max(65_535)

const addedSchema = z
  .strictObject({ address: endpointSchema, weight: weightSchema, backup: z.boolean() })
  .transform(({ address, weight, backup }) => ({ ...address, weight, backup }))

const fileSchema = z.strictObject({
  bothways: z.literal("peers"),
  version: z.literal(1),
  clusters: z.record(
    z.string(),
    z.strictObject({
      of: z.string(),
      added: z.array(addedSchema),
      removed: z.array(z.string()),
      weights: z.record(z.string(), weightSchema),
      drained: z.array(z.string()),
    }),
  ),
})

/** What was kept; a text = why it cannot be used. A file that is not there has kept nothing. */
export function readKeptChanges(file: string): KeptByCluster | string {
  let text: string
  try {
    if (statSync(file).size > FILE_BYTES_MAX) return `it has more than ${FILE_BYTES_MAX} octets`
    text = readFileSync(file, "utf8")
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? {} : (error as Error).message
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return `it is not JSON: ${(error as Error).message}`
  }
  const read = fileSchema.safeParse(value)
  if (!read.success) {
    const [issue] = read.error.issues
    return `${issue!.path.join(".") || "the whole"}: ${issue!.message}`
  }
  return Object.fromEntries(Object.entries(read.data.clusters).map(([name, { of, ...changes }]) => [name, { of, changes }]))
}

/** Writes beside the file and puts it in its place, so that there is a whole one at any time. Throws. */
export function writeKeptChanges(file: string, kept: KeptByCluster): void {
  const clusters = Object.fromEntries(
    Object.entries(kept).map(([name, { of, changes }]) => {
      const added = changes.added.map(({ address, weight, backup }) => ({ address, weight, backup }))
      return [name, { of, ...changes, added }]
    }),
  )
  const beside = `${file}.${process.pid}.new`
  const fd = openSync(beside, "w", 0o600)
  try {
    writeSync(fd, `${JSON.stringify({ bothways: "peers", version: 1, clusters }, null, 2)}\n`)
    fsyncSync(fd)
  } catch (error) {
    rmSync(beside, { force: true })
    throw error
  } finally {
    closeSync(fd)
  }
  renameSync(beside, file)
}
