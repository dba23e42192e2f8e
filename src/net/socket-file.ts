import { statSync, unlinkSync } from "node:fs"

/** The file of a Unix socket that is ours to remove. */
export class SocketFile {
  readonly path: string
  private readonly identity: string

  /** The file that is at `path` now. */
  constructor(path: string) {
    this.path = path
    this.identity = identify(path)
  }

  /** Removes it, unless another has taken its place. */
  remove(): void {
    if (this.identity === "" || identify(this.path) !== this.identity) return
    try {
      unlinkSync(this.path)
    } catch {
      // Gone, or the folder is no longer ours: the next one finds nobody listening and replaces it.
    }
  }
}

function identify(path: string): string {
  try {
    // The number alone may be another file's by now.
    const { dev, ino, birthtimeNs } = statSync(path, { bigint: true })
    return `${dev}:${ino}:${birthtimeNs}`
  } catch {
    return ""
  }
}
