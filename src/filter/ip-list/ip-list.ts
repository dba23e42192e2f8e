import { z } from "zod"
import { AddressError, CidrSet, FAULT, FileError, listOf, pathSchema } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, type Verdict } from "../../flow/index.ts"
import { defineFilter, type FilterDeps } from "../../plugin/index.ts"
import { fileProblems } from "../file-problems.ts"
import { readListFile } from "./list-file.ts"

const entry = z.string().superRefine((text, context) => {
  try {
    CidrSet.parse([text])
  } catch (error) {
    if (!(error instanceof AddressError)) throw error
    context.addIssue({ code: "custom", message: error.message })
  }
})

const kinds = ["deny", "except", "allow"] as const
type Kind = (typeof kinds)[number]

const entries = z.array(entry).default([])
const files = (meaning: string) => listOf(pathSchema).optional().describe(meaning)

const options = z
  .strictObject({
    allow: entries.describe("Addresses, prefixes and ranges that get in. With such a list nobody else does."),
    deny: entries.describe("Those that get 403, also when `allow` has them."),
    except: entries.describe("Those that `deny` does not concern."),
    files: z
      .strictObject({
        allow: files("Of those who get in; never empty."),
        deny: files("Of those who get 403."),
        except: files("Of those whom `deny` does not concern."),
      })
      .prefault({})
      .describe("Files with one of them a line; # and ; begin comments. Read again when they change."),
  })
  .refine(
    said => kinds.some(kind => kind !== "except" && (said[kind].length > 0 || said.files[kind] !== undefined)),
    "expected allow, deny or files with one of them",
  )

type Settings = z.infer<typeof options>

/** All lists of one kind: what the config says, and each file. Null where there is none. */
class Lists {
  readonly sets: CidrSet[] = []

  constructor(kind: Kind, settings: Settings, deps: FilterDeps) {
    // Doubt keeps out: an IPv6 address that carries a denied IPv4 address is denied.
    const closing = kind === "deny"
    if (settings[kind].length > 0) this.sets.push(CidrSet.parse(settings[kind], { closing }))
    for (const name of settings.files[kind] ?? []) {
      const path = deps.path(name)
      const at = this.sets.length
      const content = deps.watchFile(path, changed => {
        this.sets[at] = readList(changed, path, kind)
      })
      this.sets.push(readList(content, path, kind))
    }
  }

  get size(): number {
    return this.sets.reduce((sum, set) => sum + set.size, 0)
  }

  has(address: string): boolean {
    const { sets } = this
    for (let i = 0; i < sets.length; i++) if (sets[i]!.has(address)) return true
    return false
  }
}

/** An empty list of those who may is one that somebody is just writing far more often than a wish to lock everybody out. */
function readList(content: string, path: string, kind: Kind): CidrSet {
  const set = readListFile(content, path, kind === "deny")
  if (kind === "allow" && set.size === 0) throw new FileError(path, "it names no address, and nobody would get in")
  return set
}

export default defineFilter({
  name: "ip-list",
  raw: true,
  summary: "Who gets in by address: lists of the config and of files with up to a million ranges.",
  options,
  build(settings, deps) {
    const denied = new Lists("deny", settings, deps)
    const spared = new Lists("except", settings, deps)
    const allowed = new Lists("allow", settings, deps)
    const closed = allowed.sets.length > 0
    const refused = deps.counter("ip_list_refused", "Requests of clients whose addresses are kept out.")
    return {
      access(x: Exchange): Verdict {
        const { clientAddress } = x
        // Whoever comes by a Unix socket has no address, and is on no list.
        const known = clientAddress !== "unix"
        const isOut = known && denied.has(clientAddress) && !spared.has(clientAddress)
        if (!isOut && (!closed || (known && allowed.has(clientAddress)))) return NEXT
        refused.add(1)
        x.fault = FAULT.forbidden
        return FAULT_VERDICT
      },
      describe: () => [`deny ${denied.size}`, `except ${spared.size}`, closed ? `allow ${allowed.size}` : "allow all others"].join(", "),
    }
  },
  problems: (settings, resolve) =>
    kinds.flatMap(kind =>
      (settings.files[kind] ?? []).flatMap((file, i, { length }) =>
        fileProblems(["files", kind, ...(length > 1 ? [i] : [])], resolve(file), (content, path) => readList(content, path, kind)),
      ),
    ),
})
