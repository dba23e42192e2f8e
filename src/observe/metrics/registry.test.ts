import { describe, expect, test } from "bun:test"
import { faults } from "../../base/index.ts"
import { HISTOGRAM_CELLS } from "./buckets.ts"
import { CLUSTER, cellsOf, cellsOfShape, LISTENER, PEER, PROCESS, ROUTE, type ShapeName, shapes } from "./layout.ts"
import { MetricsRegistry, SCRATCH_CELLS } from "./registry.ts"

describe("shapes", () => {
  test("the named distances are those of the table", () => {
    const distance = (shape: keyof typeof shapes, metric: string) => {
      let at = 0
      for (const cell of shapes[shape]) {
        if (cell.metric === metric) return at
        at += cellsOf(cell.kind)
      }
      return -1
    }
    expect(distance("route", "bothways_requests_total")).toBe(ROUTE.noStatus)
    expect(distance("route", "bothways_request_duration_seconds")).toBe(ROUTE.duration)
    expect(distance("route", "bothways_request_body_bytes_total")).toBe(ROUTE.requestBytes)
    expect(distance("route", "bothways_response_body_bytes_total")).toBe(ROUTE.responseBytes)
    expect(distance("cluster", "bothways_cluster_attempts_total")).toBe(CLUSTER.attempts)
    expect(distance("cluster", "bothways_cluster_failures_total")).toBe(CLUSTER.failures)
    expect(distance("cluster", "bothways_cluster_retries_total")).toBe(CLUSTER.retries)
    expect(distance("cluster", "bothways_cluster_connect_seconds")).toBe(CLUSTER.connect)
    expect(distance("peer", "bothways_peer_attempts_total")).toBe(PEER.attempts)
    expect(distance("peer", "bothways_peer_failures_total")).toBe(PEER.failures)
    expect(distance("peer", "bothways_peer_connect_seconds")).toBe(PEER.connect)
    expect(distance("listener", "bothways_connections_accepted_total")).toBe(LISTENER.accepted)
    expect(distance("listener", "bothways_connections_open")).toBe(LISTENER.open)
    expect(distance("listener", "bothways_connections_refused_total")).toBe(LISTENER.refused)
    expect(distance("process", "bothways_log_lines_dropped_total")).toBe(PROCESS.linesDropped)
    expect(cellsOfShape("route")).toBe(6 + HISTOGRAM_CELLS + 2)
    expect(cellsOfShape("faults")).toBe(faults.length)
  })
})

describe("MetricsRegistry", () => {
  test("blocks lie side by side and never overlap", () => {
    const registry = new MetricsRegistry()
    for (let i = 0; i < 20; i++) {
      registry.route(`r${i}`)
      registry.peer("c", `p${i}`)
      registry.cluster(`c${i}`)
      registry.listener(`l${i}`)
      registry.counter("limited", "Requests over the limit.", { filter: `f${i}` })
    }
    const blocks = registry.layout.blocks.toSorted((a, b) => a.offset - b.offset)
    let end = SCRATCH_CELLS
    for (const block of blocks) {
      expect(block.offset).toBe(end)
      end += cellsOfShape(block.shape as ShapeName)
    }
  })

  test("a name keeps its place, also when labels look alike", () => {
    const registry = new MetricsRegistry()
    const first = registry.route("a")
    expect(registry.route("b")).not.toBe(first)
    expect(registry.route("a")).toBe(first)
    expect(registry.peer("a", "b:1")).not.toBe(registry.peer("a,b", ":1"))
    expect(registry.cluster("a")).not.toBe(first)
  })

  test("a worker finds the control thread's places, and scratch for what it does not know", () => {
    const registry = new MetricsRegistry()
    const route = registry.route("a")
    const worker = MetricsRegistry.restore(structuredClone(registry.layout))
    expect(worker.route("a")).toBe(route)
    expect([worker.faults, worker.process, worker.unrouted]).toEqual([registry.faults, registry.process, registry.unrouted])
    expect(worker.route("b")).toBe(0)
    expect(worker.refused).toBe(1)
    expect(worker.layout).toEqual(registry.layout)
  })

  test("a full region refuses and counts, and what fits still fits", () => {
    const capacity = SCRATCH_CELLS + cellsOfShape("faults") + cellsOfShape("process") + Math.floor(4.5 * cellsOfShape("route"))
    const registry = new MetricsRegistry(capacity)
    const offsets = Array.from({ length: 10 }, (_, i) => registry.route(`r${i}`))
    const places = offsets.filter(offset => offset > 0)
    // the block of requests without a route is the fourth
    expect(places.length).toBe(3)
    expect(registry.refused).toBe(10 - places.length)
    expect(Math.max(...offsets) + cellsOfShape("route")).toBeLessThanOrEqual(capacity)
    expect(registry.route("r0")).toBe(offsets[0]!)
  })

  test("what a reload no longer asks for leaves the page when the reload succeeds, and comes back to its place", () => {
    const registry = new MetricsRegistry()
    const names = () =>
      registry
        .visible()
        .map(block => block.labels["route"])
        .filter(Boolean)
    registry.begin()
    const old = registry.route("old")
    registry.route("kept")
    registry.commit()
    registry.begin()
    registry.route("kept")
    expect(names()).toEqual(["old", "kept"])
    registry.begin()
    registry.route("kept")
    registry.commit()
    expect(names()).toEqual(["kept"])
    expect(registry.route("old")).toBe(old)
    expect(names()).toEqual(["old", "kept"])
    registry.hide(old)
    expect(names()).toEqual(["kept"])
  })

  test("names that the page cannot carry are refused", () => {
    const registry = new MetricsRegistry()
    expect(() => registry.counter("Bad-Name", "")).toThrow("lower case")
    expect(() => registry.counter("requests", "")).toThrow("exists already")
    expect(() => registry.gauge("x_total", "")).toThrow("only counters")
    expect(() => registry.counter("x", "", { le: "1" })).toThrow("not le")
  })
})
