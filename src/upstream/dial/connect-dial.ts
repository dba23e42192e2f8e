import { type Fault, FAULT, formatHostPort, Timer, type TimerOwner } from "../../base/index.ts"
import { acquireExchange, begin, DONE, type Exchange, NEXT, type Plan, type Verdict } from "../../flow/index.ts"
import { BODY_NONE, BODY_TUNNEL, type Downstream, type TunnelEnd, WordlessDownstream } from "../../http/index.ts"
import { NO_CONNECTION, type ConnectionInfo, type DialFailure, type DialHandle, type DialHandler } from "../../net/index.ts"
import type { ClusterSteps } from "../steps.ts"
import { type Inside, standOverTunnel } from "./stand-over.ts"

export interface ConnectTarget {
  /** Name, or address literal without brackets: the proxy resolves it. */
  readonly host: string
  readonly port: number
}

/** The plan of a CONNECT of our own: to a proxy by these steps, and what it opens is handed out. */
export function connectPlan(steps: ClusterSteps, cluster: string): Plan {
  return {
    steps: [steps.peer, steps.forward, steps.judge, handOut, steps.finish, () => DONE],
    respondAt: 3,
    peerAt: 0,
    logAt: 4,
    retry: steps.retry,
    bodyBytesMax: 0,
    requestMs: 0,
    tunnelIdleMs: 0,
    route: { name: "", index: -1, cluster, metrics: -1 },
  }
}

function handOut(x: Exchange): Verdict {
  ;(x.down as ConnectDial).answered(x)
  return NEXT
}

/**
 * One connection through HTTP proxies: an exchange of our own with the method CONNECT, so that log-in, versions of HTTP, limits and the reading of answers are those
 * of every other request. `from` is whom it is made for: hashing balancers go by that.
 */
export class ConnectDial extends WordlessDownstream implements DialHandle, TimerOwner {
  readonly info: ConnectionInfo
  private handler: DialHandler | null
  private readonly inside: Inside
  private readonly f: Exchange
  private readonly timer = new Timer(this)
  private readonly endsAt: number
  private begun = false
  private standing: DialHandle | null = null

  constructor(plan: Plan, target: ConnectTarget, inside: Inside, { handler, from }: { handler: DialHandler; from: Exchange }) {
    super()
    this.handler = handler
    this.inside = inside
    this.info = from.down?.info ?? NO_CONNECTION
    this.f = exchangeTo(plan, target, from, this)
    const { time, timeoutMs } = inside
    this.endsAt = time.clock.now() + timeoutMs
    time.wheel.schedule(this.timer, this.endsAt)
    // Whoever dials is in the middle of its step.
    queueMicrotask(() => {
      this.begun = true
      if (this.handler === null) this.f.release()
      else begin(this.f)
    })
  }

  cancel(): void {
    this.finish()
    this.leave()
    this.standing?.cancel()
    this.standing = null
  }

  onTimer(): void {
    const handler = this.finish()
    this.leave()
    handler?.onFailed("timeout", "the proxy opened no way within the connect timeout")
  }

  private finish(): DialHandler | null {
    const { handler } = this
    this.handler = null
    this.inside.time.wheel.cancel(this.timer)
    return handler
  }

  /** Ends the exchange if it is under way: one that is over has no client side. */
  private leave(): void {
    if (this.begun && this.f.down === this) this.f.onClientGone(FAULT.aborted)
  }

  private failed(kind: DialFailure, detail: string): void {
    this.finish()?.onFailed(kind, detail)
  }

  /** The proxy's answer is there, or nothing will come of it. */
  answered(x: Exchange): void {
    const { up } = x
    x.headSent = true
    x.up = null
    x.pump.upReady = false
    if (up !== null && x.fault === null && x.responseBody === BODY_TUNNEL && this.handler !== null) return this.stands(up.takeTunnel())
    up?.abort()
    if (x.fault === null) this.failed("denied", `the proxy answered ${x.status}`)
    else this.failed(failureOf(x.fault), x.fault.code)
  }

  private stands(end: TunnelEnd): void {
    const { inside, endsAt } = this
    // Whoever dialled below has yet to say who listens.
    queueMicrotask(() => {
      if (this.handler === null) return end.abort()
      const timeoutMs = Math.max(1, endsAt - inside.time.clock.now())
      this.standing = standOverTunnel(
        end,
        { ...inside, timeoutMs },
        {
          onOpen: (wire, alpn) => this.finish()?.onOpen(wire, alpn) ?? null,
          onFailed: (kind, detail) => this.failed(kind, detail),
        },
      )
    })
  }

  abort(fault: Fault): void {
    this.failed(failureOf(fault), fault.code)
  }

  // ---- no client reads any of it

  sendHead(): void {}
  takeTunnel(): TunnelEnd {
    throw new Error("what a proxy opens is handed out")
  }
}

function failureOf(fault: Fault): DialFailure {
  switch (fault) {
    case FAULT.connectRefused:
      return "refused"
    case FAULT.connectTimeout:
    case FAULT.headTimeoutUpstream:
      return "timeout"
    case FAULT.tlsFailed:
      return "tls"
    case FAULT.parentAuth:
      return "login"
    case FAULT.malformedResponse:
    case FAULT.responseTooLarge:
    case FAULT.parentGarbled:
      return "garbled"
    case FAULT.closedEarly:
    case FAULT.reusedClosed:
      return "reset"
    case FAULT.connectFailed:
      return "unreachable"
    default:
      return "denied"
  }
}

function exchangeTo(plan: Plan, { host, port }: ConnectTarget, from: Exchange, down: Downstream): Exchange {
  const f = acquireExchange()
  f.plan = plan
  f.down = down
  f.startedAt = from.startedAt
  f.clientAddress = from.clientAddress
  f.peerAddress = from.peerAddress
  f.user = from.user
  f.snapshot = from.snapshot
  f.listener = from.listener
  f.method = "CONNECT"
  f.forwardForm = true
  f.host = host
  f.port = port
  f.authority = formatHostPort(host, port)
  f.path = ""
  f.rulePath = ""
  f.request.reset("")
  f.request.extra = `Host: ${f.authority}\r\n`
  f.requestBody = BODY_NONE
  f.pump.requestEnded = true
  return f
}
