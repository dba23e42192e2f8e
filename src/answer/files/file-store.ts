import { type FileHandle, open, realpath } from "node:fs/promises"
import { join, sep } from "node:path"
import { contentTypeOf } from "./content-type.ts"

/** Larger files are refused until the file server of its own arrives: this one answers from memory. */
const FILE_BYTES_MAX = 16 * 1024 * 1024
/** Files that are kept for the next request, and for how long before they are looked at again. */
const KEPT_BYTES_MAX = 64 * 1024
const KEPT_MAX = 256
const KEPT_MS = 1000

/** A file as it is answered. */
export interface StoredFile {
  readonly content: Buffer
  readonly tag: string
  /** Ready-made header lines. */
  readonly lines: string
  readonly readAt: number
}

/** The files below one root. Small ones that were asked for within the last second are in memory. */
export class FileStore {
  private readonly root: string
  private readonly kept = new Map<string, StoredFile>()

  constructor(root: string) {
    this.root = root
  }

  /** The file if it is in memory and was read a moment ago. */
  find(name: string): StoredFile | undefined {
    const file = this.kept.get(name)
    return file !== undefined && Date.now() - file.readAt < KEPT_MS ? file : undefined
  }

  /** Reads the file. null when there is none that may be served: no file, out of the root by a link, too large. Never rejects. */
  async read(name: string): Promise<StoredFile | null> {
    const file = await readWhole(this.root, name)
    this.kept.delete(name)
    if (file === null || file.content.length > KEPT_BYTES_MAX) return file
    if (this.kept.size >= KEPT_MAX) this.kept.delete(this.kept.keys().next().value!)
    this.kept.set(name, file)
    return file
  }
}

async function readWhole(root: string, name: string): Promise<StoredFile | null> {
  let handle: FileHandle | null = null
  try {
    const [path, realRoot] = await Promise.all([realpath(join(root, name)), realpath(root)])
    if (!path.startsWith(realRoot + sep)) return null
    handle = await open(path, "r")
    const stat = await handle.stat()
    if (!stat.isFile() || stat.size > FILE_BYTES_MAX) return null
    const tag = `"${stat.size.toString(16)}-${Math.floor(stat.mtimeMs).toString(16)}"`
    const lines = `Content-Type: ${contentTypeOf(name)}\r\nLast-Modified: ${stat.mtime.toUTCString()}\r\nETag: ${tag}\r\n`
    return { content: await handle.readFile(), tag, lines, readAt: Date.now() }
  } catch {
    return null
  } finally {
    await handle?.close().catch(() => {})
  }
}
