import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { ANSWER, type Exchange, setLocalResponse, type Verdict } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"
import type { FilesOptions } from "./options.ts"

interface ListedEntry {
  readonly name: string
  readonly folder: boolean
  readonly size: number
  readonly modified: Date
}

/** Entries of a directory that are shown. */
const entriesMax = 10_000

/** What lies in one directory, for people and for programs. */
export interface FolderListing {
  answer(x: Exchange): Verdict
}

/** Lists a directory below the root, without what is never served. null = it cannot be read. */
export async function folderListing(options: FilesOptions, name: string): Promise<FolderListing | null> {
  const entries = await readEntries(options, name)
  if (entries === null) return null
  return {
    answer(x) {
      const asJson = prefersJson(x.request.joined(NAME.accept))
      const body = asJson ? `${JSON.stringify(entries)}\n` : pageOf(name, entries)
      const type = asJson ? "application/json" : "text/html; charset=utf-8"
      setLocalResponse(x, 200, `Content-Type: ${type}\r\nCache-Control: no-cache\r\nVary: Accept\r\n`, Buffer.from(body, "utf8"))
      return ANSWER
    },
  }
}

async function readEntries({ root, hidden, symlinks }: FilesOptions, name: string): Promise<ListedEntry[] | null> {
  const folder = join(root, name)
  try {
    const found = await readdir(folder, { withFileTypes: true })
    const shown = found.filter(entry => (hidden === "allow" || !entry.name.startsWith(".")) && (symlinks !== "deny" || !entry.isSymbolicLink()))
    const entries = await Promise.all(shown.slice(0, entriesMax).map(entry => entryOf(folder, entry.name)))
    return entries.filter(entry => entry !== null).sort(byKindAndName)
  } catch {
    return null
  }
}

async function entryOf(folder: string, name: string): Promise<ListedEntry | null> {
  try {
    const info = await stat(join(folder, name))
    if (!info.isFile() && !info.isDirectory()) return null
    return { name, folder: info.isDirectory(), size: info.isFile() ? info.size : 0, modified: info.mtime }
  } catch {
    return null
  }
}

function byKindAndName(a: ListedEntry, b: ListedEntry): number {
  if (a.folder !== b.folder) return a.folder ? -1 : 1
  return a.name < b.name ? -1 : 1
}

function prefersJson(accept: string): boolean {
  return /\bapplication\/json\b/i.test(accept) && !/\btext\/html\b/i.test(accept)
}

function pageOf(name: string, entries: readonly ListedEntry[]): string {
  const rows = entries.map(entry => {
    const label = entry.folder ? `${entry.name}/` : entry.name
    // `./` in front: a name with a colon is no scheme.
    const href = `./${encodeURIComponent(entry.name)}${entry.folder ? "/" : ""}`
    const size = entry.folder ? "" : entry.size.toLocaleString("en-US")
    const when = entry.modified.toISOString().slice(0, 16).replace("T", " ")
    return `<tr><td><a href="${href}">${escapeHtml(label)}</a><td>${size}<td>${when}`
  })
  const up = name === "/" ? "" : `<tr><td><a href="../">../</a><td><td>\n`
  const title = escapeHtml(name)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"><title>${title}</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:2em auto;max-width:60em;padding:0 1em}table{border-collapse:collapse;width:100%}td{padding:.1em 1em .1em 0}td:nth-child(n+2){font-variant-numeric:tabular-nums;text-align:right;white-space:nowrap}</style></head>
<body><h1>${title}</h1><table>
${up}${rows.join("\n")}
</table></body></html>
`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}
