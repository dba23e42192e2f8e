import { z } from "zod"
import { type Clock, systemClock } from "../../../base/index.ts"
import { type Exchange, grpcStatusOf, type ListenerInfo, type Notes, type RouteInfo } from "../../../flow/index.ts"
import { NAME } from "../../../http/index.ts"
import { defineLogFormat, type LogFormatter } from "../../../plugin/index.ts"
import { escapeJson } from "../escape.ts"
import { requestIdOf, span, statusOf, targetOf, versionOf } from "../facts.ts"
import { compileRedact, type Redactor, redactOption } from "../redact.ts"
import { WallTime } from "../wall-time.ts"

const options = z
  .strictObject({
    redact: redactOption.default(true).describe("Hides values of query parameters that look like secrets; a list adds names."),
  })
  .prefault({})

type JsonOptions = z.infer<typeof options>

/**
 * One JSON object a line. Fields that do not apply are left out.
 * Written out rather than looped over the table of facts, in few and large pieces: each piece costs when the line is put together.
 */
export function jsonFormatter(settings: JsonOptions, clock: Clock = systemClock): LogFormatter {
  const redact = compileRedact(settings.redact)
  const time = new WallTime(clock)
  const listenerPart = oncePer((listener: ListenerInfo) => named(',"listener":"', listener.name))
  const routePart = oncePer((route: RouteInfo) => named(',"route":"', route.name) + named(',"cluster":"', route.cluster))
  return x => {
    const listener = x.listener === null ? "" : listenerPart(x.listener)
    const fault = x.fault === null ? "" : `,"fault":"${x.fault.code}"`
    const route = x.plan === null ? "" : routePart(x.plan.route)
    const user = named(',"user":"', x.user)
    const front = `{"time":"${time.iso()}"${listener},"client":"${escapeJson(x.clientAddress)}"${user}${x.notes === null ? "" : notesPart(x.notes)}${requestPart(x, redact)}`
    const back = `,"requestBytes":${x.requestBytes},"responseBytes":${x.responseBytes}${fieldsPart(x, redact)}}\n`
    return `${front},"status":${statusOf(x)}${grpcPart(x)}${cachePart(x)}${fault}${route}${upstreamPart(x)}${back}`
  }
}

function notesPart({ groups, claimedUser, rule, action, would, reference, category, exit, tls, tlsReason, ja4, called }: Notes): string {
  const policy =
    named(',"groups":"', groups.join(",")) +
    named(',"claimedUser":"', claimedUser) +
    named(',"rule":"', rule) +
    named(',"action":"', action) +
    named(',"would":"', would) +
    named(',"reference":"', reference) +
    named(',"category":"', category)
  return (
    policy +
    named(',"exit":"', exit) +
    named(',"tls":"', tls) +
    named(',"tlsReason":"', tlsReason) +
    named(',"ja4":"', ja4) +
    named(',"called":"', called)
  )
}

function requestPart(x: Exchange, redact: Redactor): string {
  if (x.method === "") return ""
  const front = `,"method":"${escapeJson(x.method)}","scheme":"${x.scheme}","host":"${escapeJson(x.host)}"${portPart(x)}`
  return `${front},"target":"${escapeJson(targetOf(x, redact))}","version":"${versionOf(x.version)}"`
}

function cachePart(x: Exchange): string {
  if (x.cacheResult === "") return ""
  return x.cacheReason === "" ? `,"cache":"${x.cacheResult}"` : `,"cache":"${x.cacheResult}","cacheReason":"${x.cacheReason}"`
}

function grpcPart(x: Exchange): string {
  const status = grpcStatusOf(x)
  return status < 0 ? "" : `,"grpcStatus":${status}`
}

/** The port when it is not the scheme's own. */
function portPart(x: Exchange): string {
  return x.port === 0 || x.port === (x.scheme === "https" ? 443 : 80) ? "" : `,"port":${x.port}`
}

function upstreamPart(x: Exchange): string {
  const duration = timed(',"durationMs":', x.startedAt, x.endedAt)
  if (x.attempts === 0) return duration
  const connect = timed(',"connectMs":', x.startedAt, x.connectedAt)
  return `${named(',"peer":"', x.peerName)},"attempts":${x.attempts}${duration}${connect}${timed(',"waitMs":', x.sentAt, x.headAt)}`
}

/** "" when either end was not reached: a tunnel sends no head, so it waits for none. */
function timed(key: string, from: number, to: number): string {
  const ms = span(from, to)
  return ms < 0 ? "" : key + ms
}

function fieldsPart(x: Exchange, redact: Redactor): string {
  const agent = named(',"userAgent":"', x.request.get(NAME.userAgent))
  return agent + named(',"referer":"', redact.url(x.request.get(NAME.referer))) + named(',"requestId":"', requestIdOf(x))
}

/** What `make` says of each object, asked once for each. Weak, because the objects end with their snapshot. */
function oncePer<T extends object>(make: (of: T) => string): (of: T) => string {
  const made = new WeakMap<T, string>()
  return of => {
    let text = made.get(of)
    if (text === undefined) made.set(of, (text = make(of)))
    return text
  }
}

function named(open: string, value: string): string {
  return value === "" ? "" : `${open}${escapeJson(value)}"`
}

export default defineLogFormat({
  name: "json",
  summary: "One JSON object a line, ASCII only.",
  options,
  compile: settings => jsonFormatter(settings),
})
