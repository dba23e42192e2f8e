import { z } from "zod"
import { field, maybe, pathSchema } from "../../base/index.ts"
import { ANSWER, type Exchange, grpcReplyType, NEXT, setLocalResponse, type Verdict } from "../../flow/index.ts"
import { NAME, reasonOf } from "../../http/index.ts"
import { defineFilter, type FilterDeps, type OptionProblem } from "../../plugin/index.ts"
import { fileProblems } from "../file-problems.ts"
import { compilePage, type Page } from "../page.ts"

const pageSchema = z
  .strictObject({
    file: maybe(pathSchema, "File with the page; read again when it changes."),
    body: maybe(z.string(), "The page itself."),
    type: maybe(
      z.string().regex(/^[\x21-\x7e]+\/[\x20-\x7e]+$/, "expected a type such as text/html"),
      "Content type. Default: by what the page looks like.",
    ),
    json: maybe(z.string(), "What clients get that prefer JSON."),
    status: maybe(z.int().min(200).max(599), "Another status than the one that it is for."),
  })
  .refine(page => (page.file === null) !== (page.body === null), "expected either file or body")

const statusKey = z.string().regex(/^(?:[45]\d\d(?:-[45]\d\d)?|[45]xx)$/, "expected a status such as 404, a range such as 502-504, or 5xx")

const options = z.strictObject({
  pages: z
    .record(statusKey, pageSchema)
    .refine(pages => Object.keys(pages).length > 0, "expected one page at least")
    .describe("Pages by status, range of statuses or class; the most exact one counts."),
  from: field(
    z.enum(["proxy", "upstream", "both"]),
    "proxy",
    "Whose errors get a page: those of the proxy itself (no peer, refused, not found), those that servers answer, or both.",
  ),
})

type Options = z.output<typeof options>

/** Lines of an answer that a page in its place must keep: what else to do, and who to be. */
const KEPT = ["retry-after", "www-authenticate", "proxy-authenticate", "allow", "set-cookie"]

export default defineFilter({
  name: "error-pages",
  summary: "Answers errors with pages of one's own.",
  options,
  build(settings, deps) {
    const pages = compilePages(settings, deps)
    const { from } = settings
    return {
      response(x): Verdict {
        if (x.status < 400) return NEXT
        const page = pages.get(x.status)
        if (page === undefined) return NEXT
        const isOurs = x.fault !== null || x.localBody !== null
        if ((from === "proxy" && !isOurs) || (from === "upstream" && isOurs) || grpcReplyType(x) !== "") return NEXT
        answer(x, page)
        return ANSWER
      },
      describe: () =>
        `${Object.keys(settings.pages).join(", ")} of ${from === "both" ? "the proxy and of servers" : from === "proxy" ? "the proxy" : "servers"}`,
    }
  },
  problems: ({ pages }, resolve) =>
    Object.entries(pages).flatMap(([status, { file }]): OptionProblem[] =>
      file === null ? [] : fileProblems(["pages", status, "file"], resolve(file), content => compilePage(content, null)),
    ),
})

/** One page for each status that has one: exact ones over ranges over classes. */
function compilePages({ pages }: Options, deps: FilterDeps): ReadonlyMap<number, StatusPage> {
  const out = new Map<number, StatusPage>()
  const entries = Object.entries(pages).map(([key, settings]) => ({ ...spanOf(key), settings }))
  entries.sort((a, b) => b.last - b.first - (a.last - a.first))
  for (const { first, last, settings } of entries) {
    const { file, body, type, json, status } = settings
    const held: StatusPage = { page: compilePage(body ?? "", type), json: json === null ? null : compilePage(json, "application/json"), status }
    if (file !== null) {
      const path = deps.path(file)
      held.page = compilePage(
        deps.watchFile(path, content => {
          held.page = compilePage(content, type)
        }),
        type,
      )
    }
    for (let at = first; at <= last; at++) out.set(at, held)
  }
  return out
}

function spanOf(key: string): { first: number; last: number } {
  if (key.endsWith("xx")) return { first: Number(key[0]) * 100, last: Number(key[0]) * 100 + 99 }
  const [first = "", last = first] = key.split("-")
  return { first: Number(first), last: Number(last) }
}

interface StatusPage {
  page: Page
  readonly json: Page | null
  readonly status: number | null
}

function answer(x: Exchange, { page, json, status }: StatusPage): void {
  const chosen = json !== null && prefersJson(x.request.joined(NAME.accept)) ? json : page
  const body = Buffer.from(chosen.render(x), "utf8")
  const kept = keptLines(x)
  const own = x.localBody !== null || x.fault !== null ? "Cache-Control: no-store\r\n" : ""
  const next = status ?? x.status
  setLocalResponse(x, next, `Content-Type: ${chosen.type}\r\n${own}${kept}`, body)
  x.reason = reasonOf(next)
}

function keptLines(x: Exchange): string {
  let lines = ""
  for (const name of KEPT) {
    for (let i = x.response.indexOfName(name); i >= 0; i = x.response.indexOfName(name, i + 1)) lines += `${name}: ${x.response.valueAt(i)}\r\n`
  }
  for (const line of x.response.extra.split("\r\n")) {
    const colon = line.indexOf(":")
    if (colon > 0 && KEPT.includes(line.slice(0, colon).toLowerCase())) lines += `${line}\r\n`
  }
  return lines
}

function prefersJson(accept: string): boolean {
  return /\bapplication\/(?:[a-z.-]+\+)?json\b/i.test(accept) && !/\btext\/html\b/i.test(accept)
}
