import { cpus, release } from "node:os"
import { Command } from "commander"
import { bothways, contenders, versionOf } from "./contenders.ts"
import { inRounds, measure, median } from "./measure.ts"
import { type Scenario, scenarios } from "./scenarios.ts"
import { loadCores, openSetting, proxyCore, type Setting } from "./setting.ts"

// npm run bench -- --scenarios h1,tls --against nginx,HAProxy --rounds 3 --seconds 2
const names = scenarios.map(scenario => scenario.name)
const command = new Command("bench")
  .description("CPU a request of Bothways and of other proxies on this machine, in one interleaved run, as a Markdown table.")
  .option("--scenarios <names>", `which of ${names.join(", ")}`, names.join(","))
  .option("--against <names>", "which contenders", "nginx,HAProxy,Caddy,Squid")
  .option("--rounds <n>", "rounds, interleaved; the median counts", "3")
  .option("--seconds <n>", "seconds of load in a round", "2")
  .parse()
const options = command.opts<{ scenarios: string; against: string; rounds: string; seconds: string }>()
const wanted = options.scenarios.split(",")
const unknown = wanted.filter(name => !names.includes(name))
if (unknown.length > 0) command.error(`no scenario ${unknown.join(", ")}; there are ${names.join(", ")}`)

const rounds = Number(options.rounds)
const seconds = Number(options.seconds)
const rivals = contenders.filter(contender => contender !== bothways && options.against.split(",").includes(contender.name))
const versions = new Map(rivals.map(rival => [rival.name, versionOf(rival)]))
const present = rivals.filter(rival => versions.get(rival.name) !== null)

const setting = await openSetting()
console.log(`| scenario | Bothways | ${present.map(rival => rival.name).join(" | ")} |`)
console.log(`|---|--:|${present.map(() => "--:|").join("")}`)
for (const name of wanted) console.log(await row(scenarios.find(scenario => scenario.name === name)!, setting))
await setting.origin.stop()
console.log(`\n${notes()}`)
process.exit(0)

async function row(scenario: Scenario, shared: Setting): Promise<string> {
  const among = [bothways, ...present.filter(rival => scenario.against.includes(rival.name))]
  const figures = await inRounds(among, rounds, contender => measure(scenario, contender, shared, seconds))
  const ours = median(figures.get(bothways.name)!)
  const cells = present.map(rival => cell(figures.get(rival.name), ours))
  return `| ${scenario.name}: ${scenario.what}, ${scenario.unit} | ${ours.toFixed(1)} | ${cells.join(" | ")} |`
}

function cell(figures: readonly number[] | undefined, ours: number): string {
  if (figures === undefined) return ""
  const theirs = median(figures)
  return `${theirs.toFixed(1)} (${(ours / theirs).toFixed(2)})`
}

function notes(): string {
  const absent = rivals.filter(rival => versions.get(rival.name) === null).map(rival => rival.name)
  return [
    "In parentheses: Bothways divided by the other; below 1 we cost less. CPU is user and system time of the whole process tree divided by requests answered.",
    `Median of ${rounds} rounds of ${seconds} s, interleaved, each with a fresh process that was warmed up. Proxy pinned to core ${proxyCore}, load and origin to ${loadCores}.`,
    "All: one worker, access log off, kept connections to the origin, X-Forwarded-For on the reverse side, no cache. Bothways with everything that is on by default:",
    "metrics, Via, X-Forwarded headers, time-outs, limits. nginx, HAProxy and Caddy with what their defaults add; HTTP/1.1 only.",
    `Machine: ${cpus().length} cores, ${cpus()[0]?.model ?? "unknown"}, Linux ${release()}. ${present.map(rival => `${rival.name} ${versions.get(rival.name)}`).join(", ")}, Bun ${versionOf(bothways)}.`,
    ...(absent.length > 0 ? [`Not installed, so not measured: ${absent.join(", ")}.`] : []),
  ].join("\n")
}
