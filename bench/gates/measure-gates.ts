import { bothways, contenders, type Running, startContender } from "../contenders.ts"
import { residentBytes } from "../cpu.ts"
import { exactLoad } from "../load/h2load.ts"
import { ownClient } from "../load/own-client.ts"
import { measureAll, median } from "../measure.ts"
import { scenarios } from "../scenarios.ts"
import type { Setting } from "../setting.ts"

/** What baseline.json records: by scenario, CPU as a share of nginx's in the same run, and octets allocated a request. */
export interface Baseline {
  readonly cpuOfNginx: Readonly<Record<string, number>>
  readonly allocatedBytes: Readonly<Record<string, number>>
}

export const cpuGates = ["h1", "tls", "close", "big"] as const

/** Our CPU a request divided by nginx's, both measured now: a slow or busy machine slows both. */
export async function cpuOfNginx(name: (typeof cpuGates)[number], setting: Setting): Promise<number> {
  const scenario = scenarios.find(each => each.name === name)!
  const nginx = contenders.find(each => each.name === "nginx")!
  const figures = await measureAll(scenario, [bothways, nginx], setting, 3, 1)
  const ratios = figures.get(bothways.name)!.map((ours, round) => ours / figures.get(nginx.name)![round]!)
  return median(ratios)
}

type AllocationLoad = (at: Running, setting: Setting) => Promise<number>

const allocationLoads: Readonly<Record<string, AllocationLoad>> = {
  h1: at => exactLoad(`http://127.0.0.1:${at.plain}/`, 20_000),
  big: at => exactLoad(`http://127.0.0.1:${at.plain}/files/100k`, 1000),
  forward: (at, { originPort }) => ownClient("forward-client", [at.forward, `http://127.0.0.1:${originPort}/`, 1, 16]),
}

export const allocationGates = Object.keys(allocationLoads)

/**
 * Octets of memory that one request takes when nothing is ever given back: the collector is switched off, so what the process grows by is what it
 * allocated. Memory that the program reuses by itself costs nothing, as it should.
 */
export async function allocatedBytes(name: string, setting: Setting): Promise<number> {
  const load = allocationLoads[name]!
  const at = await startContender(bothways, setting, { BUN_JSC_useGC: "0" })
  try {
    // The compilers allocate too, until the code is hot.
    await load(at, setting)
    await load(at, setting)
    const before = residentBytes(at.pid)
    const answered = await load(at, setting)
    return (residentBytes(at.pid) - before) / answered
  } finally {
    await at.program.stop()
  }
}
