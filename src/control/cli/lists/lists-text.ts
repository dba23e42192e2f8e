import type { ListAnswer, ListEntry } from "../../lists/list-feature.ts"
import { age } from "../age.ts"
import { columns, count, octets, plural, printable } from "../cache/cell.ts"
import type { Style } from "../terminal.ts"

/** Lists as people read them. */
export function listsText(lists: readonly ListEntry[], style: Style, now = Date.now()): string {
  if (lists.length === 0) return "the config has no lists\n"
  const rows = lists.map(list => [
    list.name,
    list.category ?? "-",
    count(list.entries),
    octets(list.bytes),
    count(list.skipped + list.malformed),
    age(Math.max(0, now - list.loadedAt)),
    list.error === null ? "current" : "older version",
  ])
  const table = columns([["LIST", "CATEGORY", "NAMES", "MEMORY", "SKIPPED", "READ", "STATE"], ...rows], [false, false, true, true, true, true, false])
  return `${table}${lists.map(list => notes(list, style, now)).join("")}`
}

function notes({ name, error, errorAt, skippedBy, malformed }: ListEntry, style: Style, now: number): string {
  const reasons = Object.entries({ ...skippedBy, malformed }).filter(([, lines]) => lines > 0)
  const left =
    reasons.length === 0
      ? ""
      : style.dim(`${name}: lines that are no entries: ${reasons.map(([why, lines]) => `${count(lines)} ${why}`).join(", ")}\n`)
  if (error === null) return left
  return `${left}${style.yellow(`${name}: what the files hold is not in force since ${age(Math.max(0, now - (errorAt ?? now)))}: ${printable(error)}`)}\n`
}

/** Which lists hold a host. */
export function answersText(host: string, answers: readonly ListAnswer[], style: Style): string {
  const holding = answers.filter(({ holds }) => holds)
  const told = answers.filter(({ holds, name, exception }) => holds || name !== null || exception !== null)
  const lines = told.map(({ list, category, holds, name, exception }) => {
    const subject = `${list}${category === null ? "" : ` (${category})`}`
    const by = holds ? `${style.green("holds")} ${printable(host)} by ${name}` : `does not hold ${printable(host)}`
    if (exception === null) return `${subject} ${by}\n`
    return holds ? `${subject} ${by}, in spite of the exception ${exception}\n` : `${subject} ${by}: the exception ${exception} takes it out\n`
  })
  return `${lines.join("")}${style.dim(holding.length === 0 ? `no list holds ${printable(host)}` : `${plural(holding.length, "list holds", "lists hold")} it`)}\n`
}
