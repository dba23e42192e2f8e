import { statSync } from "node:fs"
import { z } from "zod"
import { CidrSet, duration, FAULT, field, maybe, pathSchema } from "../../base/index.ts"
import { ANSWER, type Exchange, FAULT_VERDICT, grpcReplyType, NEXT, setLocalResponse, type Verdict } from "../../flow/index.ts"
import { defineFilter, type FilterDeps } from "../../plugin/index.ts"
import { fileProblems } from "../file-problems.ts"
import { compilePage, type Page } from "../page.ts"

const cidrSchema = z.string().superRefine((text, context) => {
  try {
    CidrSet.parse([text])
  } catch (error) {
    context.addIssue({ code: "custom", message: (error as Error).message })
  }
})

const options = z.strictObject({
  on: field(z.boolean(), true, "The route is closed."),
  flag: maybe(
    pathSchema,
    "File that closes the route while it is there, whatever is in it: `touch` and `rm` are the switch. Then `on` does not count.",
  ),
  until: maybe(
    z.iso.datetime({ offset: true, error: "expected a time such as 2026-12-01T06:00:00Z" }),
    "When it is expected to be over: Retry-After counts down to it. The route does not open by itself.",
  ),
  retryAfter: field(duration({ min: 1000 }), "5m", "Retry-After, where `until` says nothing."),
  allow: field(z.array(cidrSchema), [], "Clients that get through all the same."),
  page: maybe(pathSchema, "File with the page; read again when it changes. Default: a short text."),
})

type Options = z.output<typeof options>

/** How often the flag is looked for. */
const LOOK_MS = 1000

export default defineFilter({
  name: "maintenance",
  summary: "Closes a route with 503 and Retry-After while its service is worked on.",
  options,
  build(settings, deps) {
    const closed = closedNow(settings, deps)
    const allowed = settings.allow.length === 0 ? null : CidrSet.parse(settings.allow)
    const held = pageOf(settings, deps)
    return {
      access(x): Verdict {
        if (!closed() || allowed?.has(x.clientAddress) === true) return NEXT
        return refuse(x, `Retry-After: ${secondsLeft(settings, deps)}\r\n`, held.page)
      },
      describe: () => (settings.flag === null ? (settings.on ? "closed" : "open") : `closed while ${settings.flag} is there`),
    }
  },
  problems: ({ page }, resolve) => (page === null ? [] : fileProblems(["page"], resolve(page), content => compilePage(content, null))),
})

function closedNow({ on, flag }: Options, { path, time }: FilterDeps): () => boolean {
  if (flag === null) return () => on
  const file = path(flag)
  let there = isThere(file)
  let lookAt = time.clock.now() + LOOK_MS
  return () => {
    const now = time.clock.now()
    if (now >= lookAt) {
      lookAt = now + LOOK_MS
      there = isThere(file)
    }
    return there
  }
}

function isThere(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined
}

function pageOf({ page }: Options, deps: FilterDeps): { page: Page | null } {
  const held: { page: Page | null } = { page: null }
  if (page === null) return held
  const read = (content: string): void => {
    held.page = compilePage(content, null)
  }
  read(deps.watchFile(deps.path(page), read))
  return held
}

function secondsLeft({ until, retryAfter }: Options, { time }: FilterDeps): number {
  const leftMs = until === null ? 0 : Date.parse(until) - time.clock.wall()
  return Math.max(1, Math.ceil((leftMs > 0 ? leftMs : retryAfter) / 1000))
}

/** A page of one's own, or the short text that every fault has. A gRPC call gets its status. */
function refuse(x: Exchange, lines: string, page: Page | null): Verdict {
  x.fault = FAULT.maintenance
  x.replyFields = lines
  if (page === null || grpcReplyType(x) !== "") return FAULT_VERDICT
  x.status = FAULT.maintenance.status
  setLocalResponse(x, x.status, `Content-Type: ${page.type}\r\nCache-Control: no-store\r\n${lines}`, Buffer.from(page.render(x), "utf8"))
  return ANSWER
}
