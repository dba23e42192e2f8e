import { type Exchange, httpDate } from "../flow/index.ts"
import { reasonOf } from "../http/index.ts"

/** A page with what it may say of the request filled in. */
export interface Page {
  readonly type: string
  render(x: Exchange): string
}

// Nothing of peers, addresses and rules: the page goes to whoever asked.
const words: Readonly<Record<string, (x: Exchange) => string>> = {
  status: x => String(x.status),
  reason: x => reasonOf(x.status),
  fault: x => x.fault?.code ?? "",
  detail: x => x.fault?.description ?? "",
  host: x => x.host,
  path: x => x.path,
  method: x => x.method,
  client: x => x.clientAddress,
  date: () => httpDate(),
}

/**
 * Makes a page of a text in which `${status} ${reason} ${fault} ${detail} ${host} ${path} ${method} ${client} ${date}` are filled in; other dollar signs stay, for
 * scripts have theirs. Where the page is HTML the values are escaped for it, where it is JSON for a string. `type` null: HTML when it begins with a tag, JSON
 * with a brace, else text.
 */
export function compilePage(text: string, type: string | null): Page {
  const kind = type ?? guess(text)
  const escape = /html|xml/i.test(kind) ? escapeHtml : /json/i.test(kind) ? escapeJson : (value: string) => value
  const parts = text.split(pattern)
  return {
    type: kind,
    render: x => parts.map((part, i) => (i % 2 === 0 ? part : escape(words[part]!(x)))).join(""),
  }
}

const pattern = /\$\{(status|reason|fault|detail|host|path|method|client|date)\}/

function guess(text: string): string {
  const start = text.trimStart().slice(0, 1)
  return start === "<" ? "text/html; charset=utf-8" : start === "{" || start === "[" ? "application/json" : "text/plain; charset=utf-8"
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"'`]/g, character => `&#${character.charCodeAt(0)};`)
}

function escapeJson(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}
