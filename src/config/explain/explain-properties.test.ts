import { expect, test } from "bun:test"
import fc from "fast-check"
import { type Outcome, runDataPath } from "./data-path.fixture.ts"
import { explain } from "./explain.ts"
import type { Explanation, PeerFacts } from "./explanation.ts"
import { configOf, liveOf, requestCase, settingCase } from "./random-cases.fixture.ts"

// explain against the data path: the same configs and requests through an engine that this file puts together by itself.

/** The same words for what explain says. */
function told({ route: won, answer }: Explanation, outcome: Outcome): Outcome {
  const base: Outcome = { kind: "fault", route: won?.name ?? "", code: "", status: 0, cluster: outcome.cluster, target: "" }
  switch (answer.kind) {
    case "fault":
      return { ...base, code: answer.code, status: answer.status }
    case "reply":
      return { ...base, kind: "reply", status: answer.status }
    case "peer":
      return {
        ...base,
        kind: "peer",
        cluster: answer.cluster,
        target: answer.peers.includes(outcome.target) ? outcome.target : `one of ${answer.peers.join()}`,
      }
    case "origin":
      return { ...base, kind: outcome.kind === "name" ? "name" : "origin", target: outcome.kind === "name" ? "" : addressOf(answer.origin, outcome) }
    default:
      return { ...base, code: answer.says }
  }
}

/** A literal is dialled as it is; `localhost` is whichever of its addresses is open. */
function addressOf(origin: string, outcome: Outcome): string {
  return origin.startsWith("localhost:") && /^(?:127\.0\.0\.1|\[::1\]):/.test(outcome.target) ? outcome.target : origin
}

test("explain says what the data path does", async () => {
  const seen = new Map<string, number>()
  const note = (word: string) => void seen.set(word, (seen.get(word) ?? 0) + 1)
  await fc.assert(
    fc.asyncProperty(settingCase, fc.array(requestCase, { minLength: 4, maxLength: 4 }), async (model, requests) => {
      const config = configOf(model)
      if (config === null) return note("no config")
      const live = liveOf(model)
      for (const asked of requests) {
        const outcome = runDataPath(config, live, asked)
        const url =
          asked.method === "CONNECT" ? `${asked.host}${asked.port === "" ? ":443" : asked.port}` : `http://${asked.host}${asked.port}${asked.path}`
        const explanation = await explain(
          config,
          { method: asked.method, url, fields: asked.headers, from: asked.from, listener: asked.listener },
          { baseDir: "/", live },
        )
        expect({ asked, ...told(explanation, outcome) }).toEqual({ asked, ...outcome })
        agreesWithin(explanation, outcome)
        note(outcome.kind)
        if (outcome.kind === "fault") note(outcome.code)
        if (explanation.answer.kind === "peer" && explanation.answer.peers.length > 1) note("several candidates")
      }
    }),
    { seed: 20_261_126, numRuns: 150 },
  )
  const floor = { peer: 90, origin: 7, name: 10, reply: 40, fault: 200, "several candidates": 12, "proxy.address-forbidden": 5, "proxy.loop": 1 }
  for (const [word, least] of Object.entries(floor)) expect({ word, times: Math.min(seen.get(word) ?? 0, least) }).toEqual({ word, times: least })
  for (const code of ["client.malformed", "client.ambiguous-path", "client.bad-host", "proxy.no-route", "proxy.port-forbidden", "proxy.no-peer"])
    expect({ code, seen: seen.has(code) }).toEqual({ code, seen: true })
}, 20_000)

/** The parts of an explanation say the same. */
function agreesWithin({ rules, route: won, filters }: Explanation, outcome: Outcome): void {
  const deciding = rules.filter(rule => rule.result === "wins" || rule.result === "refuses")
  expect(filters).toEqual([])
  if (won !== null) expect(deciding.map(rule => rule.name)).toEqual([won.name])
  if (outcome.code === "proxy.no-route") expect(rules.every(rule => rule.result === "fails")).toBe(true)
  if (outcome.code === "client.ambiguous-path" && won === null)
    expect(deciding.map(rule => rule.result)).toEqual(rules.length === 0 ? [] : ["refuses"])
  if (won?.destination.kind !== "cluster") return
  const { key, pick, peers, allDown } = won.destination.cluster
  expect(peers.filter(one => one.candidate).map(one => one.name)).toEqual(candidatesOf(peers, allDown))
  // A hash leaves no choice.
  if (key !== null && outcome.kind === "peer") expect(pick).toBe(outcome.target)
}

/** What the README of clusters says: primaries, else backups, else whoever has a weight, when the config wants that. */
function candidatesOf(peers: readonly PeerFacts[], allDown: "try" | "fail"): string[] {
  const wanted = peers.filter(one => one.weight > 0)
  const open = wanted.filter(one => one.health === "up")
  const primaries = open.filter(one => !one.backup)
  const chosen = primaries.length > 0 ? primaries : open.length > 0 ? open : allDown === "try" ? wanted : []
  return chosen.map(one => one.name)
}
