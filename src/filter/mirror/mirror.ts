import { FAULT, log } from "../../base/index.ts"
import { changeRequestBody, changeResponseBody, type Exchange, NEXT, type Verdict } from "../../flow/index.ts"
import { BODY_LENGTH, BODY_NONE, BODY_TUNNEL } from "../../http/index.ts"
import { type ClusterHandle, defineFilter, type Filter, type FilterDeps } from "../../plugin/index.ts"
import { fieldText } from "../headers/edit-fields.ts"
import { BodyCopy } from "./body-copy.ts"
import { AnswerComparer, type Differences } from "./compare-answers.ts"
import { type CopiedRequest, copyRequest, MIRROR_FIELD } from "./copied-request.ts"
import { Mirrored, type Verdicts } from "./mirrored.ts"
import { mirrorOptions, type MirrorOptions } from "./options.ts"

/** Multiples of this, modulo 2^32, are as even as can be: of n requests the share is copied, give or take one or two. */
const GOLDEN = 0x9e3779b9
const WHOLE = 2 ** 32

function countersOf(deps: FilterDeps) {
  return {
    sent: deps.counter("mirror_requests", "Requests that were copied to another cluster."),
    dropped: deps.counter("mirror_dropped", "Requests that were to be copied and were not, as inFlightMax copies were under way."),
    tooLong: deps.counter("mirror_too_long", "Requests that were to be copied and whose body is over bytesMax."),
    failed: deps.counter("mirror_failures", "Copies that got no answer that could be used."),
    compared: deps.counter("mirror_compared", "Copies whose answer was compared with the client's."),
    differs: deps.counter("mirror_mismatches", "Of these: it was another one."),
    status: deps.counter("mirror_status_mismatches", "Of these: by its status."),
    headers: deps.counter("mirror_header_mismatches", "Of these: by its fields."),
    body: deps.counter("mirror_body_mismatches", "Of these: by its body."),
  }
}

/** Copies requests of one route in one worker. Nothing that becomes of a copy comes back to the client's exchange. */
class Mirror implements Verdicts {
  private readonly options: MirrorOptions
  private readonly cluster: ClusterHandle
  private readonly counters: ReturnType<typeof countersOf>
  private readonly comparer: AnswerComparer | null
  private readonly slot: number
  private turn = 0
  private inFlight = 0

  constructor(options: MirrorOptions, deps: FilterDeps) {
    this.options = options
    this.cluster = deps.cluster(options.to)
    this.counters = countersOf(deps)
    this.comparer = options.compare === undefined ? null : new AnswerComparer(options.compare)
    this.slot = deps.slot()
  }

  request(x: Exchange): Verdict {
    if (x.upgrade !== "" || x.method === "CONNECT" || fieldText(x.request, MIRROR_FIELD.toLowerCase()) !== "" || !this.isTurn()) return NEXT
    const { bytesMax, secrets, inFlightMax } = this.options
    if (x.requestBody === BODY_LENGTH && x.requestLength > bytesMax) {
      this.counters.tooLong.add(1)
      return NEXT
    }
    if (this.inFlight >= inFlightMax) {
      this.counters.dropped.add(1)
      return NEXT
    }
    const mirrored = this.comparer === null ? null : new Mirrored(x, this.comparer, this)
    if (mirrored !== null) x.slots[this.slot] = mirrored
    const copy = copyRequest(x, secrets)
    if (x.requestBody === BODY_NONE) this.send(x, copy, null, mirrored)
    else changeRequestBody(x, new BodyCopy(bytesMax, body => this.bodyCame(x, copy, body, mirrored)))
    return NEXT
  }

  private isTurn(): boolean {
    const { share } = this.options
    if (share >= 1) return true
    this.turn = (this.turn + GOLDEN) | 0
    return this.turn >>> 0 < share * WHOLE
  }

  /** While the body came, others may have begun. */
  private bodyCame(x: Exchange, copy: CopiedRequest, body: Buffer | null, mirrored: Mirrored | null): void {
    if (body === null) this.counters.tooLong.add(1)
    else if (this.inFlight >= this.options.inFlightMax) this.counters.dropped.add(1)
    else return this.send(x, copy, body, mirrored)
    mirrored?.giveUp()
  }

  private send(from: Exchange, copy: CopiedRequest, body: Buffer | null, mirrored: Mirrored | null): void {
    const { timeout, compare } = this.options
    this.inFlight++
    this.counters.sent.add(1)
    this.cluster.send({ ...copy, body, bodyBytesMax: compare?.body?.bytesMax ?? 0, timeoutMs: timeout, from }, (answer, fault) => {
      this.inFlight--
      if (answer !== null) mirrored?.copyAnswered(answer)
      else if (fault !== FAULT.truncated) this.counters.failed.add(1)
    })
  }

  headCame(x: Exchange): Verdict {
    this.mirroredOf(x)?.headCame(x)
    return NEXT
  }

  response(x: Exchange): Verdict {
    const mirrored = this.mirroredOf(x)
    if (mirrored === null || !mirrored.hasHead || x.responseBody === BODY_TUNNEL) return NEXT
    const { bytesMax } = this.options.compare!.body ?? { bytesMax: -1 }
    if (bytesMax < 0) mirrored.answered(null)
    else changeResponseBody(x, new BodyCopy(bytesMax, body => (body === null ? mirrored.giveUp() : mirrored.answered(body))))
    return NEXT
  }

  ended(x: Exchange): void {
    this.mirroredOf(x)?.ended()
  }

  private mirroredOf(x: Exchange): Mirrored | null {
    const mirrored = x.slots[this.slot]
    return mirrored instanceof Mirrored ? mirrored : null
  }

  matches(): void {
    this.counters.compared.add(1)
  }

  differs({ status, headers, body }: Differences, { method, path }: Mirrored): void {
    const { counters } = this
    counters.compared.add(1)
    counters.differs.add(1)
    if (status !== "") counters.status.add(1)
    if (headers.length > 0) counters.headers.add(1)
    if (body !== "") counters.body.add(1)
    // Names and places only: values may be secrets, and the query too. The log lets a few of these through each minute.
    log.warn("filter", "the answer to a mirrored request differs", {
      cluster: this.options.to,
      method,
      path,
      ...(status === "" ? {} : { status }),
      ...(headers.length === 0 ? {} : { headers: headers.join(", ") }),
      ...(body === "" ? {} : { body }),
    })
  }
}

export default defineFilter<MirrorOptions>({
  name: "mirror",
  summary: "Copies requests to another cluster, and compares the answers.",
  options: mirrorOptions,
  clusters: ({ to }) => [{ at: ["to"], name: to }],
  build(options, deps): Filter {
    const mirror = new Mirror(options, deps)
    const copies: Filter = { request: x => mirror.request(x), describe: () => describe(options) }
    if (options.compare === undefined) return copies
    return { ...copies, upstreamResponse: x => mirror.headCame(x), response: x => mirror.response(x), log: x => mirror.ended(x) }
  },
})

function describe({ to, share, compare }: MirrorOptions): string {
  const what = compare === undefined ? "" : ` and compares the answers${compare.body === undefined ? "" : ", bodies too"}`
  return `copies ${Number((share * 100).toFixed(4))} % of requests to ${to}${what}`
}
