import { type Contender, startContender } from "./contenders.ts"
import { cpuMicros } from "./cpu.ts"
import type { Scenario } from "./scenarios.ts"
import type { Setting } from "./setting.ts"

/** One figure: CPU microseconds a request, or KB a connection. Starts the contender fresh, warms it up, measures, stops it. */
export async function measure(scenario: Scenario, contender: Contender, setting: Setting, seconds: number): Promise<number> {
  const at = await startContender(contender, setting)
  try {
    if (scenario.unit === "KB a connection") return (await scenario.load(at, seconds, setting.originPort)) / 1024
    // Compilers, pools and caches settle first: they are paid for once, not for each request.
    await scenario.load(at, Math.max(scenario.settleSeconds ?? 1, seconds / 2), setting.originPort)
    const before = cpuMicros(at.pid)
    const answered = await scenario.load(at, seconds, setting.originPort)
    return (cpuMicros(at.pid) - before) / answered
  } finally {
    await at.program.stop()
  }
}

/** Rounds interleaved over the contenders, so that a slow minute of the machine meets all of them. Gives the figures of each round, by name. */
export async function inRounds(
  among: readonly Contender[],
  rounds: number,
  figure: (contender: Contender) => Promise<number>,
): Promise<Map<string, number[]>> {
  const figures = new Map<string, number[]>(among.map(contender => [contender.name, []]))
  for (let round = 0; round < rounds; round++) for (const contender of among) figures.get(contender.name)!.push(await figure(contender))
  return figures
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
