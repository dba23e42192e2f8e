import { type Exchange, NEXT, resume, type Verdict, WAIT, type Waiter } from "../flow/index.ts"
import { Fields, NAME } from "../http/index.ts"
import { copyEntry } from "./copy-body.ts"
import { judgeAnswer, keptLines } from "./judge-answer.ts"
import { groupOf } from "./key-parts.ts"
import { labelsOf } from "./labels.ts"
import { locate, locatePassRule } from "./locate.ts"
import { storePostAnswer } from "./post-answer.ts"
import type { RouteCache } from "./route-cache.ts"
import { FieldLines } from "./rules/field-lines.ts"
import { invalidatedTargets, isSafe } from "./rules/invalidation.ts"
import { headMatches, updatedFields } from "./rules/update.ts"
import { hashOfGroup } from "./store/key.ts"
import { encodeResponse } from "./stored.ts"

/** Reasons that lie in the request. */
const WORDS: Readonly<Record<string, string>> = { method: "method", "request-no-store": "request" }

/** Behind an upstream's answer to a request that the cache let through: what it means for what is stored. */
export function passed(cache: RouteCache, x: Exchange): Verdict {
  if (cache.policy.status)
    x.cacheStatus = `; fwd=${WORDS[x.cacheReason] ?? (x.cacheResult === "miss" ? "uri-miss" : "bypass")}; fwd-status=${x.status}${detail(x)}`
  if (x.cacheReason === "method") return isSafe(x.method) ? NEXT : invalidate(cache, x)
  if (x.method === "HEAD" && x.cacheResult === "miss") headCame(cache, x)
  else if (x.cacheResult === "pass") passCame(cache, x)
  return NEXT
}

function detail(x: Exchange): string {
  return x.cacheReason === "" || x.cacheReason === "method" ? "" : `; detail=${x.cacheReason}`
}

/** What an unsafe request has changed is not what is stored (RFC 9111 section 4.4). Its answer goes on when nobody finds that any more. */
function invalidate(cache: RouteCache, x: Exchange): Verdict {
  const { response } = x
  const { memory, disk } = cache.store
  const targets = invalidatedTargets(x.method, groupOf(x), {
    status: x.status,
    location: response.get(NAME.location),
    contentLocation: response.get(NAME.contentLocation),
  })
  // Also under the URL as the policy sees it; and as it is, for routes that see it in another way.
  const groups = new Set(targets.flatMap(target => [target, cache.question.viewOf(target)]))
  // What was purged while it was answered must not come back with the answer.
  const isPurged = cache.posts.get(x) !== cache.purgesOf(x) || memory.purging
  for (const group of groups) memory.removeGroup({ group, groupHash: hashOfGroup(group) }, false)
  if (disk === null || groups.size === 0) {
    if (!isPurged) storePostAnswer(cache, x)
    return NEXT
  }
  new DiskRemoval(cache, isPurged ? -1 : cache.purgesOf(x), x).begin([...groups].map(group => disk.removeGroup({ group }, false)))
  return WAIT
}

/** Waits until the disk has forgotten, too. */
class DiskRemoval implements Waiter {
  private readonly cache: RouteCache
  /** Purges of the URL when this began, its own included; -1 = it had others. */
  private readonly purges: number
  private x: Exchange | null

  constructor(cache: RouteCache, purges: number, x: Exchange) {
    this.cache = cache
    this.purges = purges
    this.x = x
  }

  begin(removals: readonly Promise<number>[]): void {
    this.x!.waiter = this
    void Promise.all(removals).then(() => {
      const { x } = this
      this.x = null
      if (x === null) return
      if (this.cache.purgesOf(x) === this.purges) storePostAnswer(this.cache, x)
      resume(x, NEXT)
    })
  }

  cancel(): void {
    this.x = null
  }
}

/** An answer to HEAD freshens what is stored for GET, or shows that it has changed (RFC 9111 section 4.3.5). */
function headCame(cache: RouteCache, x: Exchange): void {
  const found = locate(cache, x)
  if (found === null) return
  const { key, entry, stored } = found
  const answer = FieldLines.parse(x.response.render())
  const validators = { etag: answer.get("etag"), lastModified: answer.get("last-modified"), date: answer.get("date"), status: x.status }
  if (x.status !== 200) {
    entry.release()
    return
  }
  if (!headMatches(stored, entry.bodyLength, validators, answer.get("content-length"))) cache.store.memory.removeKey(key)
  else {
    const lines = updatedFields(FieldLines.parse(stored.lines), answer, [])
    const { verdict, facts } = judgeAnswer(cache, askedOf(cache, x, "GET"), { status: stored.status, lines })
    const writer = verdict.store ? cache.store.memory.begin(key, true) : null
    if (writer !== null) {
      if (!copyEntry(entry, writer, encodeResponse(facts, keptLines(lines, verdict.withoutFields)), labelsOf(lines))) writer.fail()
      writer.release()
    }
  }
  entry.release()
}

/** What was not to be stored may be by now: then the rule that says so goes, and the next request stores it. */
function passCame(cache: RouteCache, x: Exchange): void {
  const says = x.response.joined(NAME.cacheControl)
  if (/no-store|private/i.test(says) || x.response.has(NAME.setCookie) || x.status >= 500) return
  const { verdict } = judgeAnswer(cache, askedOf(cache, x, x.method), { status: x.status, lines: FieldLines.parse(x.response.render()) })
  // Others go straight to the peer, too: who waited too often, or came before it is worth while. What is stored by now is no business of theirs.
  const rule = verdict.store ? locatePassRule(cache, x) : null
  if (rule !== null) cache.store.memory.removeKey(rule)
}

function askedOf(cache: RouteCache, x: Exchange, method: string) {
  const fields = new Fields()
  fields.copyFrom(x.request)
  const { clock } = cache.time
  return { method, path: x.path + x.query, fields, sentMs: clock.wall() - Math.max(0, clock.now() - x.sentAt) }
}

/** Says what the cache did. The first step behind the response, which local replies pass, too. */
export function tellStatus(x: Exchange): Verdict {
  if (x.cacheResult === "") return NEXT
  if (x.cacheStatus !== "") x.response.extra += `Cache-Status: bothways${x.cacheStatus}\r\n`
  else if (x.fault !== null) x.response.extra += `Cache-Status: bothways; fwd=${x.cacheResult === "miss" ? "uri-miss" : "bypass"}${detail(x)}\r\n`
  return NEXT
}
