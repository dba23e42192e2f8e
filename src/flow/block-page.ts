import { mix32 } from "../base/index.ts"
import { NAME, reasonOf } from "../http/index.ts"
import type { Exchange } from "./exchange.ts"
import { httpDate, setLocalResponse } from "./local-reply.ts"
import { notesOf } from "./notes.ts"
import { escapeHtml, type PageText } from "./page-text.ts"

/** What an operator says on the page of a request that is refused on purpose. */
export interface BlockPage {
  readonly status: number
  readonly title: string
  readonly message: string
  /** Whom to ask: a mail address, a URL, or words. "" = nobody is named. */
  readonly contact: string
  /** Who says no: a school, a company. "" = nobody is named. */
  readonly organisation: string
  readonly format: "auto" | "html" | "json" | "text"
  /** The operator's own page, null = the built-in ones. */
  readonly own: PageText<BlockFacts> | null
}

/** One refusal, for a page. */
export interface BlockFacts {
  readonly x: Exchange
  readonly page: BlockPage
  readonly rule: string
  /** More that the client may know, such as what is left of a quota. */
  readonly detail: string
  readonly reference: string
}

/** Words of an operator's own page. Nothing of peers, addresses and queries: the page goes to whoever asked. */
export const blockWords: Readonly<Record<string, (facts: BlockFacts) => string>> = {
  status: ({ page }) => String(page.status),
  reason: ({ page }) => reasonOf(page.status),
  title: ({ page }) => page.title,
  message: ({ page }) => page.message,
  contact: ({ page }) => page.contact,
  organisation: ({ page }) => page.organisation,
  rule: ({ rule }) => rule,
  category: ({ x }) => x.notes?.category ?? "",
  detail: ({ detail }) => detail,
  reference: ({ reference }) => reference,
  host: ({ x }) => x.host,
  url: ({ x }) => shownUrl(x),
  user: ({ x }) => x.user,
  date: () => httpDate(),
}

/**
 * Answers a request that is refused on purpose: a page for people, JSON for programs, a few words for images and tools, by what Accept prefers unless the page says. The
 * reference is noted, for the log. `reason` stands behind the status in HTTP/1, where a client that asked for a tunnel shows nothing else.
 */
export function answerBlocked(x: Exchange, page: BlockPage, { rule, detail, reason }: { rule: string; detail: string; reason: string }): void {
  const notes = notesOf(x)
  if (notes.reference === "") notes.reference = nextReference()
  const facts: BlockFacts = { x, page, rule, detail, reference: notes.reference }
  const { type, text } = bodyOf(facts)
  x.status = page.status
  setLocalResponse(
    x,
    page.status,
    `Content-Type: ${type}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n`,
    Buffer.from(text, "utf8"),
  )
  x.reason = reason
}

function bodyOf(facts: BlockFacts): { readonly type: string; readonly text: string } {
  const { own, format } = facts.page
  const kind = format === "auto" ? preferred(facts.x.request.joined(NAME.accept)) : format
  if (own !== null && (kind === "html" || format !== "auto")) return { type: own.type, text: own.render(facts) }
  if (kind === "json") return { type: "application/json", text: jsonOf(facts) }
  return kind === "html" ? { type: "text/html; charset=utf-8", text: htmlOf(facts) } : { type: "text/plain; charset=utf-8", text: textOf(facts) }
}

/** Who asks for a page says so; what asks for an image, a script or anything has no use for one. */
function preferred(accept: string): "html" | "json" | "text" {
  const html = /\btext\/html\b|\bapplication\/xhtml\+xml\b/i.test(accept)
  if (/\bapplication\/(?:[a-z.-]+\+)?json\b/i.test(accept) && !html) return "json"
  return html ? "html" : "text"
}

/** Host and path, no query: that may hold what nobody else should read over a shoulder. */
function shownUrl({ method, scheme, host, port, path }: Exchange): string {
  const own = scheme === "https" || method === "CONNECT" ? 443 : 80
  const name = host.includes(":") ? `[${host}]` : host
  return `${own === 443 ? "https" : "http"}://${port === own || port === 0 ? name : `${name}:${port}`}${path}`
}

function jsonOf({ x, page, rule, detail, reference }: BlockFacts): string {
  const category = x.notes?.category ?? ""
  const facts = {
    status: page.status,
    error: page.title,
    message: page.message,
    rule,
    ...(category === "" ? {} : { category }),
    ...(detail === "" ? {} : { detail }),
    ...(page.contact === "" ? {} : { contact: page.contact }),
    reference,
  }
  return `${JSON.stringify(facts)}\n`
}

/** What a page says below its message, name by name; empty ones are left out. */
function rowsOf({ x, page, rule, detail, reference }: BlockFacts): [string, string][] {
  const rows: [string, string][] = [
    ["Address", shownUrl(x)],
    ["Rule", rule],
    ["Category", x.notes?.category ?? ""],
    ["Detail", detail],
    ["Contact", page.contact],
    ["Reference", reference],
  ]
  return rows.filter(([, value]) => value !== "")
}

function textOf(facts: BlockFacts): string {
  const { title, message } = facts.page
  const rows = rowsOf(facts).map(([name, value]) => `${name}: ${value}\n`)
  return `${title}\n${message}\n\n${rows.join("")}`
}

const style = `:root{color-scheme:light dark;--paper:#f6f6f4;--ink:#1d1d1f;--soft:#65656a;--card:#fff;--line:#dcdcd8;--mark:#b3261e}
@media(prefers-color-scheme:dark){:root{--paper:#161618;--ink:#ececee;--soft:#a2a2a8;--card:#202024;--line:#36363c;--mark:#ff8a80}}
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
main{width:100%;max-width:38rem;background:var(--card);border:1px solid var(--line);border-top:4px solid var(--mark);border-radius:10px;padding:2rem}
header{color:var(--soft);font-size:.875rem;letter-spacing:.02em}h1{margin:.25rem 0 .75rem;font-size:1.6rem;line-height:1.25}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.4rem 1.25rem;margin:1.75rem 0 0;padding-top:1.25rem;border-top:1px solid var(--line);font-size:.9375rem}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}a{color:inherit}code{font-family:ui-monospace,monospace;font-size:.95em}`

/** The built-in page: nothing is fetched for it, and nothing on it runs. */
function htmlOf(facts: BlockFacts): string {
  const { page, x } = facts
  const rows = rowsOf(facts).map(([name, value]) => `<dt>${name}</dt><dd>${cellOf(name, value, facts)}</dd>`)
  const title = escapeHtml(page.title)
  const head = page.organisation === "" ? `${page.status} ${reasonOf(page.status)}` : page.organisation
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"><link rel="icon" href="data:,"><title>${title}: ${escapeHtml(x.host)}</title>
<style>${style}</style></head>
<body><main><header>${escapeHtml(head)}</header><h1>${title}</h1><p>${escapeHtml(page.message)}</p>
<dl>${rows.join("\n")}</dl></main></body></html>
`
}

function cellOf(name: string, value: string, { reference, x }: BlockFacts): string {
  const text = escapeHtml(value)
  if (name === "Reference") return `<code>${text}</code>`
  if (name !== "Contact") return text
  if (/^https?:\/\/[^\s]+$/.test(value)) return `<a href="${text}">${text}</a>`
  if (!/^[^\s@<>"&?]+@[^\s@<>"&?]+$/.test(value)) return text
  const subject = encodeURIComponent(`Blocked: ${x.host} (${reference})`)
  return `<a href="mailto:${text}?subject=${escapeHtml(subject)}">${text}</a>`
}

/** Names of refusals: of this thread by their beginning, and in an order that tells nobody how many there were. */
const thread = Math.floor(Math.random() * 36 ** 4)
  .toString(36)
  .padStart(4, "0")
const salt = Math.floor(Math.random() * 0x1_0000_0000)
let count = 0

/** A name for a refusal that no other one of this thread has. */
export function nextReference(): string {
  count = (count + 1) >>> 0
  return `${thread}-${(mix32((count + salt) >>> 0) >>> 0).toString(16).padStart(8, "0")}`
}
