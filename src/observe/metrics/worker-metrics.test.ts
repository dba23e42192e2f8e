import { describe, expect, test } from "bun:test"
import { Worker } from "node:worker_threads"
import { FAULT } from "../../base/index.ts"
import { Exchange, type Plan } from "../../flow/index.ts"
import { BODY_TUNNEL } from "../../http/index.ts"
import { bucketBoundsMs } from "./buckets.ts"
import { clearGauges } from "./gauges.ts"
import { LISTENER, PROCESS } from "./layout.ts"
import { renderPrometheus } from "./prometheus.ts"
import { createMetricsMemory, MetricsRegistry } from "./registry.ts"
import { parseExposition } from "./strict-exposition.fixture.ts"
import { WorkerMetrics } from "./worker-metrics.ts"

const small = 64 * 1024

function setup(workers = 1) {
  const registry = new MetricsRegistry(small / 8)
  return { registry, memory: createMetricsMemory(workers, small) }
}

function reading(registry: MetricsRegistry, memory: SharedArrayBuffer) {
  const { samples } = parseExposition(renderPrometheus(registry, memory))
  return (name: string, labels: Record<string, string> = {}) =>
    samples.find(s => s.name === name && Object.entries(labels).every(([key, value]) => s.labels[key] === value))?.value
}

function exchange(route: number, change: Partial<Exchange>): Exchange {
  const x = new Exchange()
  x.plan = { route: { name: "a", index: 0, cluster: "", metrics: route } } as Plan
  return Object.assign(x, change)
}

describe("WorkerMetrics", () => {
  test("an exchange counts in its route's block", () => {
    const { registry, memory } = setup()
    const route = registry.route("a")
    const metrics = WorkerMetrics.attach(memory, 0, registry.layout)
    metrics.exchange(exchange(route, { status: 204, startedAt: 10, endedAt: 13, requestBytes: 5, responseBytes: 7 }))
    metrics.exchange(exchange(route, { status: 502, startedAt: 10, endedAt: 10.5, fault: FAULT.connectRefused }))
    metrics.exchange(exchange(route, { status: 0, startedAt: 10, endedAt: 9, fault: FAULT.aborted }))
    metrics.exchange(exchange(route, { status: 101, startedAt: 10, headAt: 20, endedAt: 90_000, responseBody: BODY_TUNNEL }))
    metrics.exchange(Object.assign(exchange(route, { status: 400, fault: FAULT.malformed, startedAt: 1, endedAt: 2 }), { plan: null }))
    const read = reading(registry, memory)
    const a = { route: "a" }
    expect(["none", "1xx", "2xx", "3xx", "4xx", "5xx"].map(status => read("bothways_requests_total", { ...a, status }))).toEqual([1, 1, 1, 0, 0, 1])
    expect(read("bothways_requests_total", { route: "", status: "4xx" })).toBe(1)
    expect(read("bothways_request_duration_seconds_count", a)).toBe(4)
    expect(read("bothways_request_duration_seconds_sum", a)).toBeCloseTo(0.0135, 9)
    expect(read("bothways_request_duration_seconds_bucket", { ...a, le: "0.0005" })).toBe(2)
    expect(read("bothways_request_body_bytes_total", a)).toBe(5)
    expect(read("bothways_response_body_bytes_total", a)).toBe(7)
    for (const fault of ["upstream.connect-refused", "client.aborted", "client.malformed"]) expect(read("bothways_faults_total", { fault })).toBe(1)
    expect(read("bothways_faults_total", { fault: "proxy.loop" })).toBe(0)
  })

  test("each bound is inclusive, and what is slower than all of them counts as infinite", () => {
    const { registry, memory } = setup()
    const peer = registry.peer("c", "p:1")
    const metrics = WorkerMetrics.attach(memory, 0, registry.layout)
    for (const bound of bucketBoundsMs) metrics.observe(peer + 2, bound)
    metrics.observe(peer + 2, 60_000.01)
    const read = reading(registry, memory)
    bucketBoundsMs.forEach((bound, index) => {
      expect(read("bothways_peer_connect_seconds_bucket", { peer: "p:1", le: String(bound / 1000) })).toBe(index + 1)
    })
    expect(read("bothways_peer_connect_seconds_bucket", { peer: "p:1", le: "+Inf" })).toBe(bucketBoundsMs.length + 1)
  })

  test("regions add up; a replaced worker goes on with counters and starts gauges at 0", () => {
    const { registry, memory } = setup(2)
    const listener = registry.listener("web")
    const first = WorkerMetrics.attach(memory, 0, registry.layout)
    const second = WorkerMetrics.attach(memory, 1, registry.layout)
    const control = WorkerMetrics.attach(memory, 2, registry.layout)
    for (const metrics of [first, second]) {
      metrics.add(listener + LISTENER.accepted, 3)
      metrics.add(listener + LISTENER.open, 2)
    }
    control.add(registry.process + PROCESS.linesDropped, 4)
    expect(reading(registry, memory)("bothways_connections_open")).toBe(4)
    clearGauges(memory, 0, registry.layout)
    expect(reading(registry, memory)("bothways_connections_open")).toBe(2)
    const replacement = WorkerMetrics.attach(memory, 0, registry.layout)
    replacement.add(listener + LISTENER.open, 1)
    replacement.add(listener + LISTENER.accepted, 1)
    const read = reading(registry, memory)
    expect(read("bothways_connections_open")).toBe(3)
    expect(read("bothways_connections_accepted_total")).toBe(7)
    expect(read("bothways_log_lines_dropped_total")).toBe(4)
  })

  test("series that came with a reload are written by a worker that attached before", () => {
    const { registry, memory } = setup()
    const metrics = WorkerMetrics.attach(memory, 0, registry.layout)
    const late = registry.gauge("late", "A gauge of a later reload.")
    metrics.add(registry.route("late") + 2, 1)
    metrics.set(late, 5)
    const read = reading(registry, memory)
    expect(read("bothways_requests_total", { route: "late", status: "2xx" })).toBe(1)
    expect(read("bothways_late")).toBe(5)
  })

  test("a series without a place writes where nobody reads", () => {
    const { memory } = setup()
    const registry = new MetricsRegistry(160)
    while (registry.refused === 0) registry.route(`r${Math.random()}`)
    const page = renderPrometheus(registry, memory)
    const metrics = WorkerMetrics.attach(memory, 0, registry.layout)
    metrics.exchange(exchange(0, { status: 599, startedAt: 1, endedAt: 100_000, responseBytes: 9 }))
    expect(renderPrometheus(registry, memory)).toBe(page)
    expect(page).toContain("bothways_metrics_refused 1\n")
  })

  test("another thread's writes are seen", async () => {
    const { registry, memory } = setup()
    const counter = registry.counter("limited", "Requests over the limit.")
    const script = 'const { workerData: [memory, at] } = require("node:worker_threads"); new Float64Array(memory)[at] += 2'
    const worker = new Worker(script, { eval: true, workerData: [memory, counter] })
    await new Promise(resolve => worker.once("exit", resolve))
    expect(reading(registry, memory)("bothways_limited_total")).toBe(2)
  })
})
