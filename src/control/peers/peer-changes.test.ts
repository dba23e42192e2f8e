import { describe, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { endpointSchema, type PeerConfig } from "../../config/index.ts"
import type { PeerEndpoint } from "../../upstream/index.ts"
import {
  changedEndpoints,
  describeChanges,
  isDrained,
  isUnchanged,
  NO_CHANGES,
  specsWith,
  withAdded,
  withDrained,
  withoutWeight,
  withRemoved,
  withWeight,
} from "./peer-changes.ts"
import { readKeptChanges, writeKeptChanges } from "./peer-changes-file.ts"

const spec = (address: string, weight = 1, backup = false): PeerConfig => ({ ...endpointSchema.parse(address), weight, backup })
const endpoint = (address: string, host = address, weight = 1): PeerEndpoint => ({ address, port: 80, path: "", host, weight, backup: false })

describe("changes of one cluster", () => {
  test("are laid over what is there: one endpoint's own word counts before its name's", () => {
    const endpoints = [endpoint("10.0.0.1", "app.test"), endpoint("10.0.0.2", "app.test"), endpoint("10.0.0.3")]
    let changes = withWeight(withWeight(NO_CHANGES, "app.test:80", 5), "10.0.0.2:80", 7)
    expect(changedEndpoints(endpoints, changes).map(({ weight }) => weight)).toEqual([5, 7, 1])
    changes = withDrained(withRemoved(changes, "10.0.0.3:80"), "app.test:80", true)
    expect(changedEndpoints(endpoints, changes).map(({ address }) => address)).toEqual(["10.0.0.1", "10.0.0.2"])
    expect(endpoints.map(each => isDrained(each, changes))).toEqual([true, true, false])
    expect(describeChanges(changes)).toEqual(["10.0.0.3:80 removed", "app.test:80 has weight 5", "10.0.0.2:80 has weight 7", "app.test:80 drained"])
    changes = withAdded(withDrained(changes, "app.test:80", false), spec("10.0.0.3:80"), spec("10.0.0.3:80"))
    changes = withoutWeight(withoutWeight(changes, "app.test:80"), "10.0.0.2:80")
    expect(isUnchanged(changes)).toBe(true)
  })

  test("what was added is weighed and removed without a trace", () => {
    const added = withAdded(NO_CHANGES, spec("10.0.0.9:80", 2, true), undefined)
    expect([describeChanges(added), specsWith([spec("a.test:1")], added).length]).toEqual([["10.0.0.9:80 added with weight 2 as a backup"], 2])
    const weighed = withDrained(withWeight(added, "10.0.0.9:80", 4), "10.0.0.9:80", true)
    expect([weighed.weights, weighed.added[0]!.weight]).toEqual([{}, 4])
    expect(isUnchanged(withRemoved(weighed, "10.0.0.9:80"))).toBe(true)
  })

  test("a removed peer of the config that is added with another weight has that", () => {
    const ofConfig = spec("10.0.0.1:80")
    expect(withAdded(withRemoved(NO_CHANGES, "10.0.0.1:80"), { ...ofConfig, weight: 3 }, ofConfig)).toEqual({
      ...NO_CHANGES,
      weights: { "10.0.0.1:80": 3 },
    })
  })
})

test("a removed endpoint of a name is one of that name again, not another peer", () => {
  const removed = withRemoved(NO_CHANGES, "10.0.0.1:80")
  expect(withAdded(removed, spec("10.0.0.1:80"), undefined)).toEqual(NO_CHANGES)
})

describe("the file", () => {
  const folder = mkdtempSync(join(tmpdir(), "peers-"))
  const file = join(folder, "peers.json")

  test("gives back what was written, and leaves nothing beside it", () => {
    const changes = withDrained(withWeight(withAdded(NO_CHANGES, spec("unix:/run/a.sock"), undefined), "a.test:1", 0), "[::1]:9", true)
    writeKeptChanges(file, { shop: { of: "x", changes } })
    expect(readKeptChanges(file)).toEqual({ shop: { of: "x", changes } })
    expect(readdirSync(folder)).toEqual(["peers.json"])
    expect(readKeptChanges(join(folder, "none.json"))).toEqual({})
  })

  test("that says something else is a reason", () => {
    for (const [text, reason] of [
      ["", "it is not JSON"],
      ["[]", "the whole"],
      ['{"bothways":"peers","version":2,"clusters":{}}', "version"],
      [
        '{"bothways":"peers","version":1,"clusters":{"a":{"of":"","added":[{"address":"x","weight":1,"backup":false}],"removed":[],"weights":{},"drained":[]}}}',
        "clusters.a.added.0.address",
      ],
    ] as const) {
      writeFileSync(file, text)
      expect(readKeptChanges(file)).toStartWith(reason)
    }
    expect(readKeptChanges(folder)).toBeString()
    rmSync(folder, { recursive: true })
  })
})
