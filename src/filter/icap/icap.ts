import { readFileSync } from "node:fs"
import { FAULT, log } from "../../base/index.ts"
import { ANSWER, type Exchange, FAULT_VERDICT, NEXT, notesOf, tapResponse, type Verdict as Step } from "../../flow/index.ts"
import { BODY_TUNNEL, NAME } from "../../http/index.ts"
import { defineFilter, type FilterDeps, type OptionProblem, type PhaseVerdict } from "../../plugin/index.ts"
import { compileTypes, type MediaTypes } from "../compress/media-type-list.ts"
import { fieldText } from "../headers/edit-fields.ts"
import { isOwnAnswer } from "../own-answer.ts"
import { fileProblems } from "../file-problems.ts"
import { hasRequestBody, wholeRequest } from "../whole-request.ts"
import { BodyFeed } from "./body-feed.ts"
import { IcapClient, type Question, type Verdict } from "./icap-client.ts"
import { IcapError } from "./icap-connection.ts"
import { type IcapOptions, icapOptions } from "./icap-options.ts"
import { answerWith, askWith, hasBody, requestHead, responseHead } from "./message.ts"

/** Has an ICAP server look at requests and responses (RFC 3507): one filter in one worker. */
class Icap {
  private readonly options: IcapOptions
  private readonly client: IcapClient
  private readonly skipped: MediaTypes
  /** Set when an answer has been asked about: what takes its place is not. */
  private readonly slot: number
  private readonly counts: { readonly [kind in "asked" | "changed" | "blocked" | "failed"]: { add(n: number): void } }

  constructor(options: IcapOptions, deps: FilterDeps) {
    this.options = options
    const { host, port, secure } = addressOf(options.server)
    const ca = options.ca === null ? null : readFileSync(deps.path(options.ca), "utf8")
    this.client = new IcapClient(
      { host, port, secure, ca, timeoutMs: options.timeout },
      { connectionsMax: options.connectionsMax, preview: options.preview === "auto" ? undefined : options.preview, bytesMax: options.bytesMax },
    )
    this.skipped = compileTypes(options.skip)
    this.slot = deps.slot()
    this.counts = {
      asked: deps.counter("icap_asked", "Messages that an ICAP server was asked about."),
      changed: deps.counter("icap_changed", "Messages that an ICAP server changed."),
      blocked: deps.counter("icap_blocked", "Messages that an ICAP server had replaced by an answer of its own."),
      failed: deps.counter("icap_failed", "Messages that an ICAP server could not be asked about."),
    }
  }

  request(x: Exchange): PhaseVerdict {
    const { request, response, ranges } = this.options
    if (response !== null && ranges === "whole") {
      x.request.remove(NAME.range)
      x.request.remove(NAME.ifRange)
    }
    return request === null ? NEXT : this.asked(x, request)
  }

  private async asked(x: Exchange, service: string): Promise<Step> {
    const { generation } = x
    const body = hasRequestBody(x) ? await this.requestBody(x) : null
    if (x.generation !== generation) return FAULT_VERDICT
    if (body?.over) return this.tooLarge(x)
    return this.decide(x, {
      method: "REQMOD",
      service,
      requestHead: requestHead(x),
      responseHead: "",
      body,
      lines: this.linesOf(x),
    })
  }

  /** The body as far as it fits; a change of it needs all of it. */
  private async requestBody(x: Exchange): Promise<BodyFeed> {
    const { pump } = x
    const feed = new BodyFeed(this.options.bytesMax)
    if (await wholeRequest(x, this.options.bytesMax)) {
      for (const chunk of pump.kept ?? []) feed.chunkCame(chunk)
      feed.endCame()
    } else feed.over = true
    return feed
  }

  response(x: Exchange): PhaseVerdict {
    // What we say ourselves, a block page of this server among it, and tunnels.
    if (
      x.slots[this.slot] === true ||
      isOwnAnswer(x) ||
      x.responseBody === BODY_TUNNEL ||
      x.status === 101 ||
      this.skipped.has(fieldText(x.response, "content-type"))
    )
      return NEXT
    x.slots[this.slot] = true
    return this.answered(x)
  }

  private async answered(x: Exchange): Promise<Step> {
    const body = hasBody(x) ? new BodyFeed(this.options.bytesMax) : null
    if (body !== null) readInto(body, x)
    const { generation } = x
    const verdict = await this.decide(x, {
      method: "RESPMOD",
      service: this.options.response!,
      requestHead: requestHead(x),
      responseHead: responseHead(x),
      body,
      lines: this.linesOf(x),
    })
    if (x.generation === generation) tapResponse(x, null)
    return verdict
  }

  private async decide(x: Exchange, question: Question): Promise<Step> {
    const { generation } = x
    this.counts.asked.add(1)
    try {
      const verdict = await this.client.ask(question)
      if (x.generation !== generation) return FAULT_VERDICT
      return this.take(x, question, verdict)
    } catch (error) {
      if (!(error instanceof IcapError) && (error as NodeJS.ErrnoException).code === undefined) throw error
      if (x.generation !== generation) return FAULT_VERDICT
      return this.failed(x, error as Error)
    }
  }

  private take(x: Exchange, question: Question, verdict: Verdict): Step {
    if (verdict.kind === "unchanged") return NEXT
    if (verdict.kind === "too-large") return this.tooLarge(x)
    if (verdict.kind === "request") {
      if (question.method !== "REQMOD") throw new IcapError("the server answers a response with a request")
      this.counts.changed.add(1)
      askWith(x, verdict.head, question.body === null && verdict.body.length === 0 ? null : verdict.body)
      return NEXT
    }
    const isBlock = question.method === "REQMOD" || verdict.why !== "" || / (?:403|451) /.test(verdict.head.slice(0, 14))
    answerWith(x, verdict.head, verdict.body)
    this.counts[isBlock ? "blocked" : "changed"].add(1)
    if (isBlock) {
      const notes = notesOf(x)
      notes.rule = verdict.why === "" ? "icap" : `icap: ${verdict.why.replace(/[^\x20-\x7e]/g, "?")}`
      notes.action = "block"
    }
    return ANSWER
  }

  private tooLarge(x: Exchange): Step {
    if (this.options.over === "pass") return NEXT
    x.fault = FAULT.scanFailed
    return FAULT_VERDICT
  }

  private failed(x: Exchange, error: Error): Step {
    this.counts.failed.add(1)
    log.warn("filter", "an ICAP server cannot be asked", { server: this.options.server, error: error.message })
    if (this.options.failure === "pass") return NEXT
    x.fault = FAULT.scanFailed
    return FAULT_VERDICT
  }

  private linesOf(x: Exchange): string {
    const { tell } = this.options
    const client = tell.includes("client") ? `X-Client-IP: ${x.clientAddress}\r\n` : ""
    const user = tell.includes("user") && x.user !== "" ? `X-Authenticated-User: ${Buffer.from(`Local://${x.user}`).toString("base64")}\r\n` : ""
    return client + user
  }
}

/** What stands in memory, as a small answer of a cache does, is there; all else comes. */
function readInto(feed: BodyFeed, x: Exchange): void {
  if (x.localBody === null) return tapResponse(x, feed)
  feed.chunkCame(x.localBody)
  feed.endCame()
}

function addressOf(server: string): { host: string; port: number; secure: boolean } {
  const found = /^(icaps?):\/\/(\[[^\]]+\]|[^:/]+)(?::(\d+))?\/?$/.exec(server)!
  const secure = found[1] === "icaps"
  return { host: found[2]!.replace(/^\[|\]$/g, ""), port: found[3] === undefined ? (secure ? 11_344 : 1344) : Number(found[3]), secure }
}

export default defineFilter({
  name: "icap",
  summary: "Has a scanner look at requests and responses by ICAP (RFC 3507): viruses, leaks, content.",
  options: icapOptions,
  build(options, deps) {
    const icap = new Icap(options, deps)
    return {
      request: x => icap.request(x),
      ...(options.response === null ? {} : { response: (x: Exchange) => icap.response(x) }),
      describe: () =>
        `${[options.request && `requests by ${options.request}`, options.response && `responses by ${options.response}`].filter(Boolean).join(", ")} of ${options.server}`,
    }
  },
  problems: ({ ca }, resolve): readonly OptionProblem[] => (ca === null ? [] : fileProblems(["ca"], resolve(ca), () => {})),
})
