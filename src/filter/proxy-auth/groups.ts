import { z } from "zod"
import { listOf, pathSchema } from "../../base/index.ts"
import type { FilterDeps } from "../../plugin/index.ts"

const ENTRIES_MAX = 200_000

const groupName = z.string().min(1).max(256)

/** A file, or groups with their users. */
export const groupsSchema = z
  .union([pathSchema, z.record(groupName, listOf(z.string().min(1)))])
  .describe("Groups beside those that directory, token or service say: a file with `group: user user` lines, or `{ staff: [ann, bob] }`.")

export type GroupsOptions = z.infer<typeof groupsSchema>

/** A file that cannot be used; the message names the line. */
export class GroupFileError extends Error {
  override name = "GroupFileError"
}

const noGroups: readonly string[] = []

/** Groups by user. */
export class Groups {
  private readonly byUser = new Map<string, string[]>()
  size = 0

  add(group: string, user: string): void {
    const known = this.byUser.get(user)
    if (known === undefined) this.byUser.set(user, [group])
    else if (known.includes(group)) return
    else known.push(group)
    this.size++
  }

  of(user: string): readonly string[] {
    return this.byUser.get(user) ?? noGroups
  }
}

/** Reads `group: user user` lines, as Apache's AuthGroupFile; a group may have several. Empty lines and lines that start with `#` mean nothing. Throws GroupFileError. */
export function parseGroupFile(content: string, path: string): Groups {
  const groups = new Groups()
  const lines = content.replace(/^\uFEFF/, "").split(/\r?\n/)
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue
    const colon = line.indexOf(":")
    const group = line.slice(0, colon).trim()
    if (colon < 1 || group === "") throw new GroupFileError(`${path}: line ${index + 1}: expected "group: user user"`)
    for (const user of line.slice(colon + 1).split(/[\s,]+/)) if (user !== "") groups.add(group, user)
    if (groups.size > ENTRIES_MAX) throw new GroupFileError(`${path}: expected at most ${ENTRIES_MAX} users in groups`)
  }
  return groups
}

/** Groups of the config, or of a file that is read again when it changes. */
export function followGroups(options: GroupsOptions | undefined, deps: FilterDeps, changed: (groups: Groups) => void): Groups {
  if (typeof options === "string") {
    const path = deps.path(options)
    return parseGroupFile(
      deps.watchFile(path, content => changed(parseGroupFile(content, path))),
      path,
    )
  }
  const groups = new Groups()
  for (const [group, users] of Object.entries(options ?? {})) for (const user of users) groups.add(group, user)
  return groups
}
