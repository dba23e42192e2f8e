import type { FollowedFile } from "../protocol.ts"

/** How the files stand that workers read again when they change, as each of them told it last. */
export class FollowedFiles {
  readonly #told: (readonly FollowedFile[])[] = []

  take(worker: number, files: readonly FollowedFile[]): void {
    this.#told[worker] = files
  }

  /** One entry for each file: the oldest version that is in force anywhere, and stale when it is so anywhere. */
  get all(): FollowedFile[] {
    const byFile = new Map<string, FollowedFile>()
    for (const one of this.#told.flat()) {
      const known = byFile.get(one.file)
      byFile.set(one.file, known === undefined ? one : older(known, one))
    }
    return [...byFile.values()]
  }
}

function older(a: FollowedFile, b: FollowedFile): FollowedFile {
  return {
    file: a.file,
    writtenAt: Math.min(a.writtenAt, b.writtenAt),
    validTo: Math.min(a.validTo, b.validTo),
    stale: a.stale || b.stale,
  }
}
