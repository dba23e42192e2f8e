import { stat } from "node:fs/promises"
import { contentTypeOf } from "./content-type.ts"
import { openInside } from "./open-file.ts"
import { ENDINGS, type FilesOptions, type SiblingCoding } from "./options.ts"
import { type FileForm, type Found, heldBytes, MISSING, type SiteFile } from "./site-file.ts"

interface Kept {
  found: Found
  bytes: number
  checkedAt: number
  /** Asked for since it was last passed over by the sweep. */
  used: boolean
}

/**
 * What the names below one root stand for, in one worker. What was looked at within `recheck` is answered from memory, contents of small files included;
 * after that a look at time, size and inode decides whether it is still so. Full, it drops what was not asked for since the last sweep, oldest first.
 */
export class FileStore {
  private readonly options: FilesOptions
  private readonly now: () => number
  private readonly kept = new Map<string, Kept>()
  private readonly looks = new Map<string, Promise<Found>>()
  private bytes = 0

  constructor(options: FilesOptions, now: () => number) {
    this.options = options
    this.now = now
  }

  /** What the name stood for a moment ago; undefined = look. */
  find(name: string): Found | undefined {
    const kept = this.kept.get(name)
    if (kept === undefined || this.now() - kept.checkedAt >= this.options.memory.recheck) return undefined
    kept.used = true
    return kept.found
  }

  /** Looks at what is there; equal questions share one look. Never rejects: what cannot be read is missing. */
  look(name: string): Promise<Found> {
    let look = this.looks.get(name)
    if (look === undefined) {
      look = this.lookNow(name).finally(() => this.looks.delete(name))
      this.looks.set(name, look)
    }
    return look
  }

  get heldBytes(): number {
    return this.bytes
  }

  private async lookNow(name: string): Promise<Found> {
    const kept = this.kept.get(name)
    if (kept !== undefined && kept.found.kind === "file" && (await this.isSame(kept.found))) {
      kept.checkedAt = this.now()
      return kept.found
    }
    const found = await this.load(name).catch(() => MISSING)
    this.keep(name, found)
    return found
  }

  private async isSame({ plain, siblings }: SiteFile): Promise<boolean> {
    const checks = [isForm(plain.path, plain)]
    for (const [i, form] of siblings.entries()) checks.push(isForm(plain.path + ENDINGS[this.codings[i]!], form))
    return (await Promise.all(checks)).every(Boolean)
  }

  private get codings(): readonly SiblingCoding[] {
    return this.options.precompressed ?? []
  }

  private keep(name: string, found: Found): void {
    const { bytesMax, filesMax } = this.options.memory
    this.drop(name)
    const bytes = heldBytes(found) + ENTRY_BYTES
    if (bytes > bytesMax) return
    this.kept.set(name, { found, bytes, checkedAt: this.now(), used: false })
    this.bytes += bytes
    while (this.bytes > bytesMax || this.kept.size > filesMax) this.sweepOne()
  }

  /** The oldest goes, or to the end of the queue when somebody asked for it meanwhile. */
  private sweepOne(): void {
    const [name, kept] = this.kept.entries().next().value!
    this.kept.delete(name)
    if (kept.used && this.kept.size > 0) {
      kept.used = false
      this.kept.set(name, kept)
    } else this.bytes -= kept.bytes
  }

  private drop(name: string): void {
    const kept = this.kept.get(name)
    if (kept === undefined) return
    this.bytes -= kept.bytes
    this.kept.delete(name)
  }

  private async load(name: string): Promise<Found> {
    if (name.endsWith("/")) return this.loadFolder(name)
    const found = await this.open(name)
    if (found !== MISSING) return found
    for (const ending of this.options.extensions) {
      const other = await this.open(name + ending)
      if (other.kind === "file") return other
    }
    return MISSING
  }

  private async loadFolder(name: string): Promise<Found> {
    for (const index of this.options.index) {
      const found = await this.open(name + index)
      if (found.kind === "file") return found
    }
    const found = await this.open(name)
    return found.kind === "folder" ? found : MISSING
  }

  private async open(name: string): Promise<Found> {
    const path = this.options.root + name
    const file = await this.form(path, "")
    if (file === null) return MISSING
    if (file === "folder") return { kind: "folder", name: name.endsWith("/") ? name : `${name}/` }
    const siblings: (FileForm | null)[] = []
    for (const coding of this.codings) {
      const form = await this.form(path + ENDINGS[coding], coding)
      siblings.push(form !== null && form !== "folder" && form.modifiedMs >= file.modifiedMs ? form : null)
    }
    const { types, defaultType } = this.options
    const type = contentTypeOf(name, types, defaultType)
    const lastModified = new Date(file.modifiedMs).toUTCString()
    const varies = siblings.some(form => form !== null)
    const lined = (form: FileForm): FileForm => ({ ...form, lines: linesOf(form, { type, lastModified, varies }) })
    return { kind: "file", type, lastModified, plain: lined(file), siblings: siblings.map(form => form && lined(form)) }
  }

  private async form(path: string, coding: SiblingCoding | ""): Promise<FileForm | "folder" | null> {
    const { root, symlinks, memory } = this.options
    const opened = await openInside(root, path, symlinks)
    if (opened === null) return null
    try {
      if (opened.isFolder) return "folder"
      const content = opened.size <= memory.fileBytesMax ? await opened.handle.readFile() : null
      const { modifiedMs, inode } = opened
      const size = content?.length ?? opened.size
      const tag = `"${size.toString(16)}-${modifiedMs.toString(16)}${coding === "" ? "" : `-${coding}`}"`
      return { coding, path, size, modifiedMs, inode, tag, lines: "", content }
    } finally {
      await opened.handle.close()
    }
  }
}

/** What an entry costs beside its content, roughly. */
const ENTRY_BYTES = 512

function linesOf({ coding, tag }: FileForm, of: { type: string; lastModified: string; varies: boolean }): string {
  const encoding = coding === "" ? "" : `Content-Encoding: ${coding}\r\n`
  const vary = of.varies ? "Vary: Accept-Encoding\r\n" : ""
  return `Content-Type: ${of.type}\r\n${encoding}Last-Modified: ${of.lastModified}\r\nETag: ${tag}\r\nAccept-Ranges: bytes\r\n${vary}`
}

/** Whether the file is the one that was read; null = there was none that counted. */
async function isForm(path: string, form: FileForm | null): Promise<boolean> {
  try {
    const now = await stat(path)
    return form !== null && now.size === form.size && Math.floor(now.mtimeMs) === form.modifiedMs && now.ino === form.inode
  } catch {
    return form === null
  }
}
