import type { Exchange } from "../../flow/index.ts"

/** What an exchange that is over adds to a counter. */
export const amounts: Readonly<Record<string, (x: Exchange) => number>> = {
  requests: () => 1,
  errors: x => (answerIs(x, 400, 599) || brokeOff(x) ? 1 : 0),
  "client-errors": x => (answerIs(x, 400, 499) ? 1 : 0),
  "server-errors": x => (answerIs(x, 500, 599) || brokeOff(x) ? 1 : 0),
  "bytes-in": x => x.requestBytes,
  "bytes-out": x => x.responseBytes,
  seconds: x => Math.max(1, Math.round((x.endedAt > x.startedAt ? x.endedAt - x.startedAt : x.pump.now() - x.startedAt) / 1000)),
}

/** Who left without an answer has not been told a status, whatever the log says. */
function answerIs(x: Exchange, first: number, last: number): boolean {
  return x.status >= first && x.status <= last && (x.headSent || !x.gone)
}

/** No answer, or not all of it; a client that left by itself is no error of the server. */
function brokeOff(x: Exchange): boolean {
  return x.fault !== null && x.fault.source === "upstream" && x.status < 400
}

/** Counts answers whose status is meant. */
export function countStatuses(isMeant: (status: number) => boolean): (x: Exchange) => number {
  return x => (isMeant(x.status) && (x.headSent || !x.gone) ? 1 : 0)
}
