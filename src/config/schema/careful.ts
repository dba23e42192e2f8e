/**
 * What `resilience: careful` writes into a cluster where the config says nothing itself. Docs and tests read it from here.
 * As an operator would write it: the schema has the last word on it.
 */
export const careful = {
  retry: { attempts: 3, status: [500, "502-504"], budget: 0.2 },
  health: {
    passive: {
      interval: "2s",
      failureShare: { share: 0.5, requestsMin: 10, hostsMin: 2 },
      successRate: { stdevs: 1.9, requestsMin: 50, hostsMin: 5 },
      latency: { times: 5, floor: "100ms", requestsMin: 10, hostsMin: 3 },
    },
  },
  resilience: {
    panicBelow: 0.3,
    breaker: { requestsMax: 4096, pendingMax: 1024, retriesMax: 256, failureShare: 0.8, window: "10s", requestsMin: 50, open: "5s", trials: 5 },
    queue: { lengthMax: 1024, timeout: "2s", lowShareMax: 0.5 },
    adaptive: { start: 64, min: 8, max: 4096, tolerance: 3 },
    hedge: { after: "p95", afterMin: "20ms", shareMax: 0.1 },
    shed: { loopDelayMax: "100ms" },
  },
} as const

/** A cluster as it is written, with what its word means filled in. What is written wins, key by key; `off` wins over a whole section. */
export function withPreset(written: unknown): unknown {
  if (!isMap(written)) return written
  const { resilience } = written
  const preset = isMap(resilience) ? resilience["preset"] : resilience
  if (preset !== "careful") return written
  return overlay(careful, { ...written, resilience: isMap(resilience) ? resilience : { preset } })
}

function overlay(below: Readonly<Record<string, unknown>>, above: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const both: Record<string, unknown> = { ...above }
  for (const [key, value] of Object.entries(below)) {
    const own = above[key]
    if (own === undefined || own === null) both[key] = value
    else if (isMap(own) && isMap(value)) both[key] = overlay(value, own)
  }
  return both
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
