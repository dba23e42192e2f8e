import { log, readDataFile } from "../../base/index.ts"
import { WatchedFiles } from "../../net/index.ts"
import type { FollowedFile } from "../protocol.ts"

const EVERY_MS = 1000
/** What was written less than this ago may still be in the making. */
const SETTLE_MS = 200

interface Watched {
  readonly path: string
  readonly files: WatchedFiles
  readonly changed: (content: string) => void
}

/**
 * The files that the filters of one snapshot read again when they change. A version that cannot be used leaves the last one in force, and is told of once.
 * Closed with the snapshot.
 */
export class FileWatchers {
  private readonly watched: Watched[] = []
  private timer: ReturnType<typeof setInterval> | null = null

  /** Reads the file now; tells of later versions once `start` was called. Throws when it cannot be read now. */
  watch(path: string, changed: (content: string) => void): string {
    // In this order: what changes while it is read shows as a change afterwards.
    const files = new WatchedFiles([path])
    const content = readDataFile(path)
    this.watched.push({ path, files, changed })
    return content
  }

  /** The snapshot serves. */
  start(): void {
    if (this.timer !== null || this.watched.length === 0) return
    this.timer = setInterval(() => this.look(false), EVERY_MS)
    this.timer.unref()
  }

  /** Looks at all of them. `forced`: somebody asked, so nothing is waited for. */
  look(forced: boolean): void {
    for (const one of this.watched) lookAt(one, forced)
  }

  get standings(): FollowedFile[] {
    return this.watched.map(({ path, files }) => ({ file: path, writtenAt: files.writtenAt, validTo: 0, stale: files.stale }))
  }

  close(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
  }
}

function lookAt({ path, files, changed }: Watched, forced: boolean): void {
  if (!files.changed(Date.now(), SETTLE_MS, forced)) {
    if (files.justGone) log.warn("control", "a watched file is gone; its last version stays", { path })
    return
  }
  try {
    if (files.read(() => taken(changed, path))) log.info("control", "a watched file was read again", { path })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    if (files.rejected(forced)) log.warn("control", "a watched file cannot be used; its last version stays", { path, reason })
  }
}

function taken(changed: Watched["changed"], path: string): true {
  changed(readDataFile(path))
  return true
}
