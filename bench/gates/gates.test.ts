import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { openSetting, type Setting } from "../setting.ts"
import recorded from "./baseline.json"
import { allocatedBytes, allocationGates, type Baseline, cpuGates, cpuOfNginx } from "./measure-gates.ts"

// Performance that is lost shows here first. After a change that is meant to cost more, or less: `npm run gates:record`, and say why in the commit.
const baseline: Baseline = recorded
// On a shared machine with two cores the ratio moves by a fifth; an optimisation that is lost moves it by more.
const cpuTolerance = 1.35
const bytesTolerance = 1.1
const bytesSlack = 64

let setting: Setting
beforeAll(async () => {
  setting = await openSetting()
})
afterAll(() => setting.origin.stop())

describe("CPU a request, as a share of nginx's", () => {
  for (const name of cpuGates) {
    test(name, async () => {
      const ratio = await cpuOfNginx(name, setting)
      console.log(`cpu ${name}: ${ratio.toFixed(2)} of nginx, recorded ${baseline.cpuOfNginx[name]}`)
      expect(ratio).toBeLessThan(baseline.cpuOfNginx[name]! * cpuTolerance)
    }, 60_000)
  }
})

describe("octets allocated a request", () => {
  for (const name of allocationGates) {
    test(name, async () => {
      const bytes = await allocatedBytes(name, setting)
      console.log(`allocated ${name}: ${bytes.toFixed(0)} B, recorded ${baseline.allocatedBytes[name]}`)
      expect(bytes).toBeLessThan(baseline.allocatedBytes[name]! * bytesTolerance + bytesSlack)
    }, 60_000)
  }
})
