import { compilePageText, type Exchange, httpDate, type PageText } from "../flow/index.ts"
import { reasonOf } from "../http/index.ts"

/** A page with what it may say of the request filled in. */
export type Page = PageText<Exchange>

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
 * Makes a page of a text in which `${status} ${reason} ${fault} ${detail} ${host} ${path} ${method} ${client} ${date}` are filled in, escaped for what the page is.
 * `type` null: as the text looks.
 */
export function compilePage(text: string, type: string | null): Page {
  return compilePageText(text, type, words)
}
