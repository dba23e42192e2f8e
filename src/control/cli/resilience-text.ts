import type { BreakerEntry, ClusterEntry, PeerEntry } from "../admin/status.ts"
import { age } from "./age.ts"
import type { Style } from "./terminal.ts"

/** The lines of a cluster about its breaker, queue and limits; "" where it has none. */
export function resilienceText({ resilience, retryBudget, peers }: ClusterEntry, style: Style): string {
  const lines: string[] = []
  if (resilience !== null) {
    const { inFlight, pending, requestsMax, queue, adaptive, breaker, panic } = resilience
    lines.push(`in flight ${inFlight}${requestsMax > 0 ? ` of ${requestsMax}` : ""}${pending > 0 ? `, ${pending} without a connection` : ""}`)
    if (breaker !== null) lines.push(`breaker ${breakerText(breaker, style)}`)
    if (queue !== null) lines.push(`queue ${queue.length} of ${queue.lengthMax}${queue.length > 0 ? ` (${waitingText(queue.waiting)})` : ""}`)
    if (adaptive !== null) {
      const rest = adaptive.baselineMs > 0 ? `, ${adaptive.baselineMs}ms at rest` : ""
      lines.push(`adaptive limit ${adaptive.limit} (${adaptive.unanswered} without an answer${rest})`)
    }
    if (panic) lines.push(style.red("too few peers are available: all of them get requests"))
  }
  // Without a word of it in the config, only what is unusual is shown.
  if (resilience !== null || retryBudget.retries > 0) lines.push(budgetText(retryBudget))
  const ejected = peers.filter(peer => peer.ejectedForMs > 0 && peer.ejectedBy !== "").map(peer => style.yellow(ejectionText(peer)))
  const open = peers
    .filter(({ breaker }) => breaker !== null && breaker.state !== "closed")
    .map(({ name, breaker }) => `${name}: breaker ${breakerText(breaker!, style)}`)
  const first = lines.length === 0 ? [] : [lines.join(" · ")]
  return [...first, ...ejected, ...open].map(line => `${line}\n`).join("")
}

function breakerText({ state, openForMs, opened }: BreakerEntry, style: Style): string {
  if (state === "closed") return opened === 0 ? "closed" : `closed (opened ${opened} times)`
  return style.red(state === "open" ? `open, trials in ${age(openForMs)}` : "half open, on trial")
}

function waitingText(waiting: Readonly<Record<string, number>>): string {
  return Object.entries(waiting)
    .filter(([, count]) => count > 0)
    .map(([priority, count]) => `${count} ${priority}`)
    .join(", ")
}

function budgetText({ requests, retries, share }: ClusterEntry["retryBudget"]): string {
  return `retries ${retries} of ${Math.max(30, Math.floor(requests * share))} in 10s`
}

function ejectionText({ name, ejectedBy, ejectedForMs }: PeerEntry): string {
  return `${name}: ejected by ${ejectedBy}, ${age(ejectedForMs)} left`
}
