import { type StatsListener, readFileSync, unwatchFile, watchFile } from "node:fs"
import { log } from "../../base/index.ts"

const EVERY_MS = 1000

/** The files that the filters of one snapshot read again when they change. Closed with the snapshot. */
export class FileWatchers {
  private readonly watched: { readonly path: string; readonly listener: StatsListener }[] = []

  /** Reads the file now and tells of later versions. A version that cannot be used leaves the last one in force. Throws when it cannot be read now. */
  watch(path: string, changed: (content: string) => void): string {
    const content = readFileSync(path, "utf8")
    const listener = (): void => {
      try {
        changed(readFileSync(path, "utf8"))
      } catch (error) {
        log.warn("control", "a watched file cannot be used; its last version stays", { path, error: error instanceof Error ? error.message : String(error) })
      }
    }
    watchFile(path, { interval: EVERY_MS, persistent: false }, listener)
    this.watched.push({ path, listener })
    return content
  }

  close(): void {
    for (const { path, listener } of this.watched) unwatchFile(path, listener)
    this.watched.length = 0
  }
}
