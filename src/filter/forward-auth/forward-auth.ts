import { type Fault, FAULT, log } from "../../base/index.ts"
import {
  ANSWER,
  type Exchange,
  FAULT_VERDICT,
  NEXT,
  type OwnAnswer,
  type OwnRequest,
  resume,
  setLocalResponse,
  type Verdict,
  WAIT,
  type Waiter,
} from "../../flow/index.ts"
import type { Fields } from "../../http/index.ts"
import { type ClusterHandle, defineFilter, type FilterDeps } from "../../plugin/index.ts"
import { ClaimedNames } from "../claimed-names.ts"
import { Remembered } from "../remembered.ts"
import { type AuthOptions, authOptions } from "./auth-options.ts"
import { DecisionKey, Question } from "./question.ts"

/** Fields of a refusal that are the proxy's own to say, or of the connection that it came by. */
const ours = new Set([
  ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade", "content-length", "date", "server", "via"],
  ...["alt-svc", "proxy-authenticate", "proxy-authentication-info"],
])

/** A good answer. */
interface Grant {
  /** Lines for the peer, and for the client. */
  readonly lines: string
  readonly back: string
  readonly user: string
}

/** Asks a service about each request, and lets through what it answers with 2xx. */
class ForwardAuth {
  private readonly options: AuthOptions
  private readonly cluster: ClusterHandle
  private readonly question: Question
  private readonly slot: number
  private readonly copied: ClaimedNames
  private readonly key: DecisionKey | null
  private readonly remembered: Remembered<Grant>
  private readonly asked: { add(n: number): void }
  private readonly refused: { add(n: number): void }
  private readonly failed: { add(n: number): void }

  constructor(options: AuthOptions, deps: FilterDeps) {
    this.options = options
    this.cluster = deps.cluster(options.cluster)
    this.question = new Question(options)
    this.slot = deps.slot()
    this.copied = new ClaimedNames(options.copy)
    this.key = options.cache === undefined ? null : new DecisionKey(options.cache.key)
    this.remembered = new Remembered(options.cache?.entriesMax ?? 1)
    this.asked = deps.counter("forward_auth_asked", "Questions to authorisation services.")
    this.refused = deps.counter("forward_auth_refused", "Requests that an authorisation service refused.")
    this.failed = deps.counter("forward_auth_failed", "Requests that were refused because an authorisation service did not answer.")
  }

  access(x: Exchange): Verdict {
    const said = this.key === null ? "" : this.key.of(x)
    const key = said === "" ? "" : this.remembered.keyOf(said)
    const known = key === "" ? undefined : this.remembered.recall(key, Date.now())
    if (known !== undefined) {
      this.copied.dropFrom(x)
      return this.grant(x, known)
    }
    const request = this.requestFor(x)
    this.copied.dropFrom(x)
    this.asked.add(1)
    const wait = new AuthWait(this, x, key)
    x.waiter = wait
    wait.ask(this.cluster, request)
    return WAIT
  }

  response(x: Exchange): Verdict {
    const back = x.slots[this.slot]
    if (typeof back === "string") x.response.extra += back
    return NEXT
  }

  describe(): string {
    const { cluster, path, copy } = this.options
    return `${cluster} ${path}${copy.length === 0 ? "" : `, copies ${copy.join(", ")}`}`
  }

  private requestFor(x: Exchange): OwnRequest {
    const { method, path, host, timeout, answerBytesMax } = this.options
    return {
      method: method === "same" ? x.method : method,
      path,
      authority: host ?? x.authority,
      fields: this.question.linesFor(x),
      body: null,
      bodyBytesMax: answerBytesMax,
      timeoutMs: timeout,
      from: x,
    }
  }

  /** Called by the wait. */
  decide(x: Exchange, key: string, answer: OwnAnswer | null, fault: Fault | null): Verdict {
    if (answer === null || answer.status >= 500 || answer.status < 200)
      return this.unavailable(x, answer === null ? (fault?.code ?? "") : `status ${answer.status}`)
    if (answer.status >= 300) {
      this.refused.add(1)
      setLocalResponse(
        x,
        answer.status,
        linesOf(answer.response, name => !ours.has(name)),
        answer.body,
      )
      return ANSWER
    }
    const { copyBack, user, cache } = this.options
    const back = new Set(copyBack.map(name => name.toLowerCase()))
    const grant: Grant = {
      lines: linesOf(answer.response, name => this.copied.has(name)),
      back: linesOf(answer.response, name => back.has(name)),
      user: user === undefined ? "" : (answer.response.find(user.toLowerCase()) ?? ""),
    }
    // What goes back to a client, such as a cookie, is for that answer alone.
    if (key !== "" && cache !== undefined) this.remembered.keep(key, { ...grant, back: "" }, Date.now() + cache.ttl)
    return this.grant(x, grant)
  }

  private grant(x: Exchange, { lines, back, user }: Grant): Verdict {
    x.request.extra += lines
    if (user !== "") x.user = Buffer.from(user, "latin1").toString("utf8")
    if (back !== "") x.slots[this.slot] = back
    return NEXT
  }

  /** Whoever cannot be asked lets nobody in. */
  private unavailable(x: Exchange, reason: string): Verdict {
    this.failed.add(1)
    log.warn("filter", "an authorisation service did not decide; the request is refused", { cluster: this.options.cluster, reason })
    x.fault = FAULT.authUnavailable
    x.replyFields = "Retry-After: 5\r\n"
    return FAULT_VERDICT
  }
}

function linesOf(fields: Fields, wanted: (lower: string) => boolean): string {
  let lines = ""
  fields.forEach((name, value) => {
    if (wanted(name.toLowerCase())) lines += `${name}: ${value}\r\n`
  })
  return lines
}

/** A request that waits for its decision. */
class AuthWait implements Waiter {
  private readonly auth: ForwardAuth
  private x: Exchange | null
  private readonly key: string
  private own: { cancel(): void } | null = null

  constructor(auth: ForwardAuth, x: Exchange, key: string) {
    this.auth = auth
    this.x = x
    this.key = key
  }

  ask(cluster: ClusterHandle, request: OwnRequest): void {
    this.own = cluster.send(request, (answer, fault) => {
      const { x } = this
      this.x = null
      if (x !== null) resume(x, this.auth.decide(x, this.key, answer, fault))
    })
  }

  cancel(): void {
    this.x = null
    this.own?.cancel()
  }
}

export default defineFilter({
  name: "forward-auth",
  summary: "Asks an authorisation service about each request; what it does not answer with 2xx is refused, with its answer.",
  options: authOptions,
  build(options, deps) {
    const auth = new ForwardAuth(options, deps)
    return {
      access: x => auth.access(x),
      ...(options.copyBack.length > 0 ? { response: (x: Exchange) => auth.response(x) } : {}),
      describe: () => auth.describe(),
    }
  },
  clusters: ({ cluster }) => [{ at: ["cluster"], name: cluster }],
})
