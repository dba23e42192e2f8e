import { folderOf, isName } from "../entry-name.ts"
import { roundUp } from "../file-layout.ts"
import { pathOf } from "../entry-name.ts"
import type { EntryRow } from "./entry-database.ts"
import type { SharedState } from "../shared-state.ts"
import type { OpenFolder } from "./open-folder.ts"

/** As many as there are folders with entries. */
export const SCAN_STEPS = 4096

/** One step of looking all files over: a folder's rows without a file go, files without a row become entries again, or go. */
export function scanStep(folder: OpenFolder, step: number, shared: SharedState): void {
  const prefix = step.toString(16).padStart(3, "0")
  const { shelf, files, root } = folder
  const names = new Set(files.list(folderOf(root, prefix)).filter(name => isName(name) && name.startsWith(prefix)))
  for (const row of shelf.database.named(prefix)) {
    if (!names.delete(row.name)) shelf.forget(row)
    else if (folder.unsure && !hasSize(folder, row)) {
      shelf.forget(row)
      names.add(row.name)
    }
  }
  for (const name of names) if (shelf.adopt(name, folder.rules)) shared.count("adopted")
}

function hasSize({ files, root }: OpenFolder, row: EntryRow): boolean {
  const stat = files.stat(pathOf(root, row.name))
  return stat?.plain === true && roundUp(stat.size) === row.bytes
}
