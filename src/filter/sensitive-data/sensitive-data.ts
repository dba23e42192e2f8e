import { z } from "zod"
import { FAULT, field, patternTrouble, size } from "../../base/index.ts"
import { changeRequestBody, type Exchange, FAULT_VERDICT, NEXT, notesOf, type Verdict } from "../../flow/index.ts"
import { defineFilter, type PhaseVerdict } from "../../plugin/index.ts"
import { hasRequestBody, wholeRequest } from "../whole-request.ts"
import { findAll, type Find, type Found, kinds, kindWords, masked, patternFind } from "./find.ts"
import { SearchedBody, type Search } from "./searched-body.ts"

const patternSchema = z.string().superRefine((source, context) => {
  const trouble = patternTrouble(source)
  if (trouble !== "") context.addIssue({ code: "custom", message: trouble })
})

const options = z
  .strictObject({
    find: field(
      z.array(z.enum(kindWords)),
      ["cards", "tokens", "keys"],
      "What is looked for: card numbers (with their check digit), mail addresses, tokens of known forms (JWT, cloud and service keys), private keys, bank accounts (IBAN).",
    ),
    patterns: field(
      z.record(z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, "expected a word such as staff-number"), patternSchema),
      {},
      "Patterns of your own by name (RE2), each for at most 512 characters.",
    ),
    in: field(
      z.array(z.enum(["query", "headers", "body"])).min(1),
      ["query", "headers", "body"],
      "Where. Credentials for the site itself (Authorization, Cookie) are left alone.",
    ),
    action: field(
      z.enum(["mask", "block", "log"]),
      "mask",
      "mask = letters and digits become stars, the length stays; block = 403; log = only told.",
    ),
    bytesMax: field(
      size({ min: 1024, max: 64 * 1024 ** 2 }),
      "1MB",
      "block: octets of a body that wait until all of it was looked at; of a larger one the rest is looked at as it leaves.",
    ),
  })
  .prefault({})

type Options = z.output<typeof options>

/** What frames a message, says where it goes, or is meant for the site. */
const passed: ReadonlySet<string> = new Set([
  "authorization",
  "connection",
  "content-length",
  "content-type",
  "cookie",
  "host",
  "proxy-authorization",
  "sec-websocket-key",
  "te",
  "transfer-encoding",
  "upgrade",
])

/** Kinds of bodies that are text; others are looked through as well when they say nothing of what they are. */
const text = /^(?:text\/|multipart\/|application\/(?:[a-z0-9.+-]*json|[a-z0-9.+-]*xml|x-www-form-urlencoded|graphql|javascript|yaml|x-ndjson))|^$/

class SensitiveData {
  private readonly options: Options
  private readonly finds: readonly (readonly [string, Find])[]
  private readonly counter: { add(n: number): void }

  constructor(options: Options, counter: { add(n: number): void }) {
    this.options = options
    this.counter = counter
    this.finds = [
      ...options.find.map(kind => [kind, kinds[kind]] as const),
      ...Object.entries(options.patterns).map(([name, source]) => [name, patternFind(source)] as const),
    ]
  }

  request(x: Exchange): PhaseVerdict {
    const places = this.options.in
    const inQuery = places.includes("query") && this.query(x)
    const inHeaders = places.includes("headers") && this.headers(x)
    if ((inQuery || inHeaders) && this.options.action === "block") return this.refuse(x)
    if (!places.includes("body") || !hasRequestBody(x) || !isText(x)) return NEXT
    return this.options.action === "block" ? this.wholeBody(x) : this.body(x)
  }

  /** True = something was found. */
  private query(x: Exchange): boolean {
    if (x.query === "") return false
    const found = findAll(x.query, this.finds)
    if (found.length === 0) return false
    this.tell(x, found)
    if (this.options.action === "mask") x.query = masked(x.query, found)
    return true
  }

  private headers(x: Exchange): boolean {
    const changes: [string, string][] = []
    let any = false
    x.request.forEach((name, value) => {
      if (passed.has(name.toLowerCase())) return
      const found = findAll(value, this.finds)
      if (found.length === 0) return
      any = true
      this.tell(x, found)
      changes.push([name, masked(value, found)])
    })
    if (this.options.action !== "mask" || changes.length === 0) return any
    for (const [name] of changes) x.request.removeName(name.toLowerCase())
    for (const [name, value] of changes) x.request.append(name, value)
    return true
  }

  private body(x: Exchange): Verdict {
    const { generation } = x
    const search: Search = {
      finds: this.finds,
      action: this.options.action,
      found: one => {
        if (x.generation === generation) this.tell(x, [one])
      },
    }
    changeRequestBody(x, new SearchedBody(search))
    return NEXT
  }

  /** Nothing leaves before all of it, or as much as may wait, was looked at. */
  private async wholeBody(x: Exchange): Promise<Verdict> {
    const { generation } = x
    await wholeRequest(x, this.options.bytesMax)
    if (x.generation !== generation) return FAULT_VERDICT
    return this.body(x)
  }

  private refuse(x: Exchange): Verdict {
    x.fault = FAULT.contentBlocked
    return FAULT_VERDICT
  }

  private tell(x: Exchange, found: readonly Found[]): void {
    this.counter.add(found.length)
    const notes = notesOf(x)
    notes.rule = `sensitive-data: ${found[0]!.kind}`
    notes.action = this.options.action
  }
}

function isText(x: Exchange): boolean {
  const coding = x.request.find("content-encoding") ?? ""
  return (coding === "" || coding.toLowerCase() === "identity") && text.test((x.request.find("content-type") ?? "").trim().toLowerCase())
}

export default defineFilter({
  name: "sensitive-data",
  summary: "Masks or blocks what should not leave: card numbers, mail addresses, tokens, keys, accounts, patterns of your own.",
  options,
  build(settings, deps) {
    const filter = new SensitiveData(settings, deps.counter("sensitive_data_found", "Sensitive data that was found in requests."))
    return {
      request: x => filter.request(x),
      describe: () => `${settings.action} ${[...settings.find, ...Object.keys(settings.patterns)].join(", ")} in ${settings.in.join(", ")}`,
    }
  },
})
