import { describe, expect, test } from "bun:test"
import { renderPrometheus } from "./prometheus.ts"
import { createMetricsMemory, MetricsRegistry } from "./registry.ts"
import { parseExposition } from "./strict-exposition.fixture.ts"

const small = 64 * 1024

describe("renderPrometheus", () => {
  test("one group a family with HELP and TYPE, whatever order series came in", () => {
    const registry = new MetricsRegistry(small / 8)
    for (const name of ["a", "b"]) {
      registry.route(name)
      registry.cluster(name)
      registry.peer(name, `${name}:1`)
      registry.listener(name)
      registry.counter("limited", "Requests over the limit.", { filter: name })
    }
    const { types, samples } = parseExposition(renderPrometheus(registry, createMetricsMemory(1, small)))
    expect(types.get("bothways_requests_total")).toBe("counter")
    expect(types.get("bothways_connections_open")).toBe("gauge")
    expect(types.get("bothways_cluster_connect_seconds")).toBe("histogram")
    expect(samples.filter(sample => sample.name === "bothways_limited_total").map(sample => sample.labels)).toEqual([
      { filter: "a" },
      { filter: "b" },
    ])
    expect([...types.keys()].every(name => name.startsWith("bothways_"))).toBe(true)
  })

  test("label values and help texts survive whatever they hold", () => {
    const registry = new MetricsRegistry(small / 8)
    const nasty = 'a"b\\c\nd\u00e9\ud83d\ude00'
    registry.route(nasty)
    registry.counter("odd", "back\\slash\nand a second line")
    const page = renderPrometheus(registry, createMetricsMemory(1, small))
    expect(parseExposition(page).samples.some(sample => sample.labels["route"] === nasty)).toBe(true)
    expect(page).toContain("# HELP bothways_odd_total back\\\\slash\\nand a second line\n")
  })

  test("a lone half of a surrogate pair becomes a character that UTF-8 has", () => {
    const registry = new MetricsRegistry(small / 8)
    registry.route("a\ud83db")
    expect(renderPrometheus(registry, createMetricsMemory(1, small))).toContain('route="a\ufffdb"')
  })

  test("values of the control thread stand in their own families", () => {
    const page = renderPrometheus(new MetricsRegistry(small / 8), createMetricsMemory(1, small), [
      { metric: "bothways_config_version", kind: "gauge", help: "Version of the live config.", value: 3 },
      { metric: "bothways_peer_up", kind: "gauge", help: "1 = takes requests.", labels: { peer: "a:1" }, value: 1 },
      { metric: "bothways_peer_up", kind: "gauge", help: "1 = takes requests.", labels: { peer: "a:2" }, value: 0 },
      { metric: "bothways_odd", kind: "gauge", help: "Odd values.", value: Number.POSITIVE_INFINITY },
    ])
    const { samples } = parseExposition(page)
    expect(samples.filter(sample => sample.name === "bothways_peer_up").map(sample => sample.value)).toEqual([1, 0])
    expect(page).toContain("bothways_config_version 3\n")
    expect(page).toContain("bothways_odd +Inf\n")
  })

  test("ten thousand routes are rendered", () => {
    const registry = new MetricsRegistry()
    for (let i = 0; i < 10_000; i++) registry.route(`r${i}`)
    const page = renderPrometheus(registry, createMetricsMemory(1))
    expect(registry.refused).toBe(0)
    expect(page.match(/bothways_requests_total\{/g)!.length).toBe(60_006)
  })
})

describe("the strict parser of these tests", () => {
  test.each([
    ["a 1", "line feed"],
    ["# HELP a x\n# TYPE a counter\na 1\na 2\n", "twice"],
    ["# HELP a x\n# TYPE a counter\nb 1\n", "outside its group"],
    ["# TYPE a counter\na 1\n", "right after HELP"],
    ['# HELP a x\n# TYPE a gauge\na{b="\\q"} 1\n', "pairs"],
    ["# HELP a x\n# TYPE a gauge\na one\n", "expected a sample"],
    ['# HELP a x\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n', "rising"],
    ['# HELP a x\n# TYPE a histogram\na_bucket{le="1"} 1\na_sum 1\na_count 1\n', "+Inf"],
  ])("refuses %j", (page, message) => {
    expect(() => parseExposition(page)).toThrow(message)
  })
})
