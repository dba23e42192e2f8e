import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePorts } from "../test/support/ports.ts"
import { cleanUp, isListening, startProgram, temporaryFolder, untilReady } from "../test/support/processes.ts"
import { cpuMicros } from "./cpu.ts"
import { loadCores, proxyCore } from "./setting.ts"

// What tunnels cost: `bun bench/tunnels.ts [ROUNDS]`. CPU of the proxy for 100 MB through one tunnel, and for a tunnel that carries 1 KB, with CONNECT through
// Squid, CONNECT and SOCKS 5 through Bothways; rounds of all three in turn.
const ROUNDS = Number(process.argv[2] ?? 5)
const SMALL_TUNNELS = 1500
/** Transfers of one measurement: the system counts processor time in hundredths of a second. */
const LARGE_TUNNELS = 10
const [originPort, squidPort, proxyPort] = (await freePorts(3)) as [number, number, number]
const folder = temporaryFolder("tunnels")
writeFileSync(join(folder, "1k"), Buffer.alloc(1024, "x"))
writeFileSync(join(folder, "100m"), Buffer.alloc(100 * 1024 ** 2, "x"))
const nginxFile = join(folder, "origin.conf")
writeFileSync(
  nginxFile,
  `worker_processes 1; daemon off; user root; pid ${folder}/origin.pid; error_log ${folder}/origin.log; events { worker_connections 1024; }
   http { access_log off; sendfile on; server { listen 127.0.0.1:${originPort} backlog=1024; root ${folder}; } }`,
)
const origin = startProgram("origin", "taskset", ["-c", loadCores, "nginx", "-p", folder, "-c", nginxFile, "-e", `${folder}/origin.log`])
await untilReady(origin, () => isListening(originPort))
const squidFile = join(folder, "squid.conf")
writeFileSync(
  squidFile,
  `http_port 127.0.0.1:${squidPort}\nhttp_access allow all\naccess_log none\ncache_log ${folder}/cache.log\ncache deny all\npid_filename ${folder}/squid.pid\ncoredump_dir ${folder}\ncache_mem 8 MB\nshutdown_lifetime 1 seconds\n`,
)
execFileSync("chmod", ["777", folder])
const squid = startProgram("squid", "taskset", ["-c", proxyCore, "squid", "-N", "-f", squidFile])
await untilReady(squid, () => isListening(squidPort))
const config = join(folder, "tunnels.json")
writeFileSync(
  config,
  JSON.stringify({
    workers: 1,
    observe: { accessLog: { to: "none" } },
    listeners: { egress: { bind: `127.0.0.1:${proxyPort}`, forward: { privateRanges: "allow", connectPorts: ["1-65535"], socks: true } } },
    routes: [{ to: { origin: {} } }],
  }),
)
const own = startProgram("bothways", "taskset", ["-c", proxyCore, process.execPath, join(import.meta.dirname, "../src/main.ts"), "run", config])
await untilReady(own, () => isListening(proxyPort))

const ways = {
  "CONNECT, Squid": { pid: squid.pid, args: ["-p", "-x", `http://127.0.0.1:${squidPort}`] },
  "CONNECT, Bothways": { pid: own.pid, args: ["-p", "-x", `http://127.0.0.1:${proxyPort}`] },
  "SOCKS 5, Bothways": { pid: own.pid, args: ["-x", `socks5h://127.0.0.1:${proxyPort}`] },
}

/** Each transfer of one curl has a tunnel of its own. */
function cost({ pid, args }: (typeof ways)["CONNECT, Squid"], file: string, tunnels: number): number {
  const list = join(folder, `${file}.txt`)
  const one = `url = "http://127.0.0.1:${originPort}/${file}"\noutput = "/dev/null"\nheader = "Connection: close"`
  writeFileSync(list, `${Array.from({ length: tunnels }, () => one).join("\n")}\n`)
  const before = cpuMicros(pid)
  execFileSync("taskset", ["-c", loadCores, "curl", "-s", ...args, "-K", list])
  return (cpuMicros(pid) - before) / tunnels
}

const large = (way: (typeof ways)["CONNECT, Squid"]): number => cost(way, "100m", LARGE_TUNNELS) / 1000
const small = (way: (typeof ways)["CONNECT, Squid"]): number => cost(way, "1k", SMALL_TUNNELS)

for (const [title, unit, measure] of [
  ["100 MB", "ms", large],
  ["a tunnel with 1 KB", "µs", small],
] as const) {
  const taken = Object.fromEntries(Object.keys(ways).map(name => [name, [] as number[]]))
  for (const way of Object.values(ways)) measure(way)
  for (let i = 0; i < ROUNDS; i++) for (const [name, way] of Object.entries(ways)) taken[name]!.push(measure(way))
  const median = (name: string): number => taken[name]!.sort((a, b) => a - b)[ROUNDS >> 1]!
  const peer = median("CONNECT, Squid")
  for (const name of Object.keys(ways))
    console.log(`${title}, ${name}: ${median(name).toFixed(1)} ${unit}, ${(median(name) / peer).toFixed(2)} of Squid`)
}
cleanUp()
process.exit(0)
