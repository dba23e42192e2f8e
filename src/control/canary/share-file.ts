import { readFileSync, renameSync, writeFileSync } from "node:fs"
import type { CanaryState } from "./canary-run.ts"

/** What of a run outlives a restart. Shares of the canary from 0 to 1; -1 = the config's. */
export interface KeptRun {
  readonly state: CanaryState
  readonly share: number
  readonly before: number
}

const states: readonly string[] = ["idle", "running", "promoted", "rolled-back", "aborted"]

/** Keeps a run in a file, for arms and weights that stay the same: others begin with what the config says. */
export class ShareFile {
  private readonly path: string
  private readonly key: string

  /** `key` names the split, its arms and weights. */
  constructor(path: string, key: string) {
    this.path = path
    this.key = key
  }

  /** null = nothing is kept, or nothing that can be used. */
  read(): KeptRun | null {
    try {
      const kept = JSON.parse(readFileSync(this.path, "utf8")) as Partial<KeptRun & { key: string }>
      const { key, state, share, before } = kept
      const isWhole = key === this.key && typeof state === "string" && states.includes(state) && isShare(share) && isShare(before)
      return isWhole ? { state, share, before } : null
    } catch {
      return null
    }
  }

  /** "" = done, else why not. The file is whole at any time. */
  write(run: KeptRun): string {
    try {
      const next = `${this.path}.new`
      writeFileSync(next, `${JSON.stringify({ key: this.key, ...run })}\n`, { mode: 0o600 })
      renameSync(next, this.path)
      return ""
    } catch (error) {
      return (error as Error).message
    }
  }
}

function isShare(value: unknown): value is number {
  return typeof value === "number" && (value === -1 || (value >= 0 && value <= 1))
}
