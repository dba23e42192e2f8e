import type { PurgeTarget } from "../../contract.ts"
import type { EntryDatabase } from "./entry-database.ts"
import { type DoomTarget, isMeant, type Purgeable } from "./writer-book.ts"

/** When there are more, files that the index does not know are removed whatever they are. */
const RULES_MAX = 10_000

/**
 * Purges since the start, for files that the scan has not come to: they are in the index so that not even the end of the process brings back what was purged.
 * Forgotten when the scan is over.
 */
export class PurgeRules {
  private readonly database: EntryDatabase
  private readonly groups = new Map<string, boolean>()
  private others: { readonly target: DoomTarget; readonly mark: boolean }[] = []

  constructor(database: EntryDatabase) {
    this.database = database
    for (const { kind, text, mark } of database.rules()) this.know(targetOf(kind, text), mark)
  }

  get any(): boolean {
    return this.groups.size + this.others.length > 0
  }

  add(target: PurgeTarget, mark: boolean): void {
    const rule = this.groups.size + this.others.length < RULES_MAX ? target : ({ by: "all" } as const)
    const hard = rule === target && mark
    if (!this.know(rule, hard)) return
    this.database.addRule(rule.by, textOf(rule), hard)
  }

  clear(): void {
    this.groups.clear()
    this.others = []
    this.database.clearRules()
  }

  /** What is to become of a file that was found. */
  fateOf(entry: Purgeable): "keep" | "mark" | "remove" {
    const group = this.groups.get(entry.key.slice(0, entry.groupLength))
    if (group === false) return "remove"
    let fate: "keep" | "mark" = group === true ? "mark" : "keep"
    for (const { target, mark } of this.others) {
      if (!isMeant(target, entry)) continue
      if (!mark) return "remove"
      fate = "mark"
    }
    return fate
  }

  /** False = it was known. */
  private know(target: PurgeTarget, mark: boolean): boolean {
    if (target.by === "group") {
      const known = this.groups.get(target.group)
      if (known === false || known === mark) return false
      this.groups.set(target.group, mark)
      return true
    }
    const text = textOf(target)
    if (this.others.some(rule => rule.mark === mark && rule.target.by === target.by && textOf(rule.target as PurgeTarget) === text)) return false
    this.others.push({ target, mark })
    return true
  }
}

function textOf(target: PurgeTarget): string {
  switch (target.by) {
    case "group":
      return target.group
    case "prefix":
      return target.prefix
    case "label":
      return target.label
    case "all":
      return ""
  }
}

function targetOf(kind: string, text: string): PurgeTarget {
  switch (kind) {
    case "group":
      return { by: "group", group: text }
    case "prefix":
      return { by: "prefix", prefix: text }
    case "label":
      return { by: "label", label: text }
    default:
      return { by: "all" }
  }
}
