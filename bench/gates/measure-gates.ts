import { bothways, type Contender, contenders, type Running, startContender } from "../contenders.ts"
import { cpuMicros, residentBytes } from "../cpu.ts"
import { exactConnections, exactLoad, exactStreams } from "../load/h2load.ts"
import { ownClient } from "../load/own-client.ts"
import { inRounds } from "../measure.ts"
import type { Setting } from "../setting.ts"

/** What baseline.json records: by gate, CPU as a share of nginx's in the same run, and octets allocated a request. */
export interface Baseline {
  readonly cpuOfNginx: Readonly<Record<string, number>>
  readonly allocatedBytes: Readonly<Record<string, number>>
}

type Load = (at: Running, setting: Setting) => Promise<number>

// By count, not by time: on a busy machine a second is too short for the compilers to get done with their work. Between 2,000 and 9,000 requests with
// large bodies they are at it themselves, and cost as much again as the requests.
const loads: Readonly<Record<string, Load>> = {
  h1: at => exactLoad(`http://127.0.0.1:${at.plain}/`, 12_000),
  tls: at => exactLoad(`https://127.0.0.1:${at.tls}/`, 8000),
  h2: at => exactStreams(`https://127.0.0.1:${at.tls}/`, 20_000),
  close: at => exactConnections(`http://127.0.0.1:${at.plain}/`, 4000),
  big: at => exactLoad(`http://127.0.0.1:${at.plain}/files/100k`, 6000),
  forward: (at, { originPort }) => ownClient("forward-client", [at.forward, `http://127.0.0.1:${originPort}/`, 20_000, 16]),
}

/** Without the collector 6000 large bodies three times would be 2 GB. */
const allocationLoads: typeof loads = { ...loads, big: at => exactLoad(`http://127.0.0.1:${at.plain}/files/100k`, 1000) }

export const cpuGates = ["h1", "tls", "h2", "close", "big"] as const
export const allocationGates = ["h1", "h2", "big", "forward"] as const

/** Our CPU a request divided by nginx's, both measured now, each at its best of three rounds: what else the machine does only ever adds. */
export async function cpuOfNginx(name: (typeof cpuGates)[number], setting: Setting): Promise<number> {
  const nginx = contenders.find(each => each.name === "nginx")!
  const figures = await inRounds([bothways, nginx], 3, contender => cpuOf(contender, loads[name]!, setting))
  return Math.min(...figures.get(bothways.name)!) / Math.min(...figures.get(nginx.name)!)
}

async function cpuOf(contender: Contender, load: Load, setting: Setting): Promise<number> {
  return during(contender, load, setting, {}, cpuMicros)
}

/**
 * Octets of memory that one request takes when nothing is ever given back: the collector is switched off, so what the process grows by is what it
 * allocated. Memory that the program reuses by itself costs nothing, as it should.
 */
export async function allocatedBytes(name: (typeof allocationGates)[number], setting: Setting): Promise<number> {
  return during(bothways, allocationLoads[name]!, setting, { BUN_JSC_useGC: "0" }, residentBytes)
}

/** What `gauge` of a fresh process rises by for each request, once it is warm. */
async function during(
  contender: Contender,
  load: Load,
  setting: Setting,
  env: Record<string, string>,
  gauge: (pid: number) => number,
): Promise<number> {
  const at = await startContender(contender, setting, env)
  try {
    await load(at, setting)
    await load(at, setting)
    const before = gauge(at.pid)
    const answered = await load(at, setting)
    return (gauge(at.pid) - before) / answered
  } finally {
    await at.program.stop()
  }
}
