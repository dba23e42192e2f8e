import { constants } from "node:fs"
import { type FileHandle, open, readlink, realpath } from "node:fs/promises"
import { sep } from "node:path"

export type SymlinkRule = "within" | "deny" | "follow"

/** A regular file or a directory that is open for reading. */
export interface OpenFile {
  readonly handle: FileHandle
  readonly isFolder: boolean
  readonly size: number
  readonly modifiedMs: number
  readonly inode: number
}

/**
 * Opens what is below the root and may be served by the rule for links; null = nothing is. Whether it lies inside is asked of the open file, so that nobody
 * can put a link in its place between the question and the reading. Never waits for a pipe or a device.
 */
export async function openInside(root: string, path: string, symlinks: SymlinkRule): Promise<OpenFile | null> {
  let handle: FileHandle
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch {
    return null
  }
  try {
    const stat = await handle.stat()
    if ((stat.isFile() || stat.isDirectory()) && (symlinks === "follow" || (await isInside(root, path, { handle, symlinks })))) {
      return { handle, isFolder: stat.isDirectory(), size: stat.size, modifiedMs: Math.floor(stat.mtimeMs), inode: stat.ino }
    }
  } catch {
    // gone meanwhile
  }
  await handle.close().catch(() => {})
  return null
}

async function isInside(root: string, path: string, of: { handle: FileHandle; symlinks: SymlinkRule }): Promise<boolean> {
  const realRoot = await realpath(root)
  const real = await realPathOf(path, of.handle)
  if (real !== realRoot && !real.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep)) return false
  // Without links on the way the two agree below the root.
  return of.symlinks === "within" || real.substring(realRoot.length) === path.substring(root.length).replace(/\/+$/, "")
}

/** Linux knows where an open file is. */
async function realPathOf(path: string, handle: FileHandle): Promise<string> {
  try {
    return await readlink(`/proc/self/fd/${handle.fd}`)
  } catch {
    return await realpath(path)
  }
}
