import { fileSignature, writtenAt } from "./certificate-pair.ts"

/** Editors delete a file and write it anew: the first look that misses it says nothing. */
const MISSED_LOOKS = 2

/**
 * Notices that a group of files has changed. What was taken or found unfit is not looked at again until it changes once more.
 */
export class WatchedFiles {
  readonly paths: readonly string[]
  /** State that was taken over. */
  private taken: string
  /** State that was found unfit, and whether that was said. */
  private unfit: string
  private said: boolean
  /** When what was taken was written, milliseconds since 1970 UTC. */
  private takenAt: number
  /** Looks in a row that found one of them missing. */
  private missed: number

  constructor(paths: readonly string[]) {
    this.paths = paths
    this.taken = fileSignature(paths)
    this.unfit = ""
    this.said = false
    this.takenAt = writtenAt(paths)
    this.missed = 0
  }

  /** When the version in use was written, milliseconds since 1970 UTC. */
  get writtenAt(): number {
    return this.takenAt
  }

  /** What is there cannot be used, or nothing is there: what was taken before stays in use. */
  get stale(): boolean {
    return this.unfit !== "" || this.missed >= MISSED_LOOKS
  }

  /** True once when the files are gone, and not just being replaced. */
  get justGone(): boolean {
    return this.missed === MISSED_LOOKS
  }

  /**
   * Whether there is something new to read at `nowMs` (milliseconds since 1970 UTC). What was written less than `settleMs` ago may still be in the making,
   * and what was found unfit is not looked at again; with `forced` everything is that is not in use.
   */
  changed(nowMs: number, settleMs: number, forced: boolean): boolean {
    const now = fileSignature(this.paths)
    this.missed = now === "" ? this.missed + 1 : 0
    if (now === this.taken) this.unfit = ""
    if (now === "" || now === this.taken) return false
    if (forced) return true
    if (now === this.unfit && this.said) return false
    const age = nowMs - writtenAt(this.paths)
    // A time in the future is a clock that differs, not a file in the making.
    return age < 0 || age >= settleMs
  }

  /** Reads the files by `read`; undefined when they changed meanwhile, so that half of one state was never mixed with half of another. */
  read<T>(read: () => T): T | undefined {
    const before = fileSignature(this.paths)
    try {
      const value = read()
      if (fileSignature(this.paths) !== before) return undefined
      this.taken = before
      this.takenAt = writtenAt(this.paths)
      this.unfit = ""
      return value
    } catch (error) {
      if (fileSignature(this.paths) !== before) return undefined
      throw error
    }
  }

  /** The state that there is cannot be used. Answers whether to say so now: once, and on the second look, because a pair that is being written one by one fits in a moment. */
  rejected(forced: boolean): boolean {
    const now = fileSignature(this.paths)
    if (now !== this.unfit) {
      this.unfit = now
      this.said = forced
      return forced
    }
    const news = !this.said
    this.said = true
    return news
  }
}
