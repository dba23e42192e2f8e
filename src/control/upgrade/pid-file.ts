import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"

/** The file that names the process that serves. An upgrade replaces it, and who has left removes it only while it is his. */
export class PidFile {
  readonly #path: string

  /** Throws when it cannot be written. */
  constructor(path: string) {
    this.#path = path
    const next = `${path}.${process.pid}`
    try {
      writeFileSync(next, `${process.pid}\n`, { mode: 0o644 })
      renameSync(next, path)
    } catch (error) {
      rmSync(next, { force: true })
      throw error
    }
  }

  remove(): void {
    try {
      if (readFileSync(this.#path, "utf8").trim() === String(process.pid)) rmSync(this.#path)
    } catch {
      // It is gone already.
    }
  }
}
