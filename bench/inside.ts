import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Authority, createAuthority, LeafContexts } from "../src/net/index.ts"
import { Authority as TestAuthority } from "../test/support/certificates.ts"
import { freePorts } from "../test/support/ports.ts"
import { cleanUp, isListening, startProgram, temporaryFolder, untilReady } from "../test/support/processes.ts"
import { cpuMicros } from "./cpu.ts"
import { loadCores, proxyCore } from "./setting.ts"

// What it costs to open TLS: `bun bench/inside.ts [ROUNDS]`. CPU of the proxy for each answer, kept connections, rounds of nginx (TLS in, TLS out, the origin's
// certificate checked) and Bothways (a tunnel opened, TLS out) in turn; and the time that a certificate takes.
const ROUNDS = Number(process.argv[2] ?? 5)
const CONNECTIONS = 16
const [originPort, nginxPort, proxyPort] = (await freePorts(3)) as [number, number, number]
const folder = temporaryFolder("inside")
const authority = new TestAuthority()
const { certFile, keyFile } = authority.issue(["localhost"])
writeFileSync(join(folder, "1k"), Buffer.alloc(1024, "x"))
writeFileSync(join(folder, "100k"), Buffer.alloc(102_400, "x"))

const common = `worker_processes 1; daemon off; user root; events { worker_connections 1024; }`
const http = `access_log off; keepalive_requests 100000000; ssl_certificate ${certFile}; ssl_certificate_key ${keyFile}; client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;`
const nginx = async (name: string, port: number, core: string, server: string) => {
  const file = join(folder, `${name}.conf`)
  writeFileSync(file, `${common} pid ${folder}/${name}.pid; error_log ${folder}/${name}.log; http { ${http} ${server} }`)
  const program = startProgram(name, "taskset", ["-c", core, "nginx", "-p", folder, "-c", file, "-e", `${folder}/${name}.log`])
  await untilReady(program, () => isListening(port))
  return program
}
await nginx("origin", originPort, loadCores, `server { listen 127.0.0.1:${originPort} ssl backlog=1024; root ${folder}; }`)
const peer = await nginx(
  "peer",
  nginxPort,
  proxyCore,
  `upstream o { server 127.0.0.1:${originPort}; keepalive 64; } server { listen 127.0.0.1:${nginxPort} ssl backlog=1024; location / { proxy_pass https://o; proxy_http_version 1.1;
   proxy_set_header Connection ""; proxy_set_header Host localhost; proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_server_name on; proxy_ssl_trusted_certificate ${authority.ca.certFile}; } }`,
)
const config = join(folder, "inside.json")
const inspect = { ca: { cert: authority.ca.certFile, key: authority.ca.keyFile }, upstream: { ca: authority.ca.certFile } }
writeFileSync(
  config,
  JSON.stringify({
    workers: 1,
    observe: { accessLog: { to: "none" } },
    listeners: { egress: { bind: `127.0.0.1:${proxyPort}`, forward: { privateRanges: "allow", connectPorts: ["1-65535"], inspect } } },
    routes: [{ to: { origin: {} } }],
  }),
)
const own = startProgram("bothways", "taskset", ["-c", proxyCore, process.execPath, join(import.meta.dirname, "../src/main.ts"), "run", config])
await untilReady(own, () => isListening(proxyPort))

/** Microseconds of CPU an answer. */
function micros(pid: number, port: number, target: string, path: string, answers: number): number {
  const before = cpuMicros(pid)
  execFileSync("taskset", [
    "-c",
    loadCores,
    process.execPath,
    join(import.meta.dirname, "load/inside-client.ts"),
    String(port),
    target,
    path,
    String(answers),
    String(CONNECTIONS),
  ])
  return (cpuMicros(pid) - before) / answers
}

for (const [path, answers] of [
  ["/1k", 20_000],
  ["/100k", 3000],
] as const) {
  const target = `localhost:${originPort}`
  micros(own.pid, proxyPort, target, path, answers)
  micros(peer.pid, nginxPort, "-", path, answers)
  const ratios: number[] = []
  const pairs: string[] = []
  for (let i = 0; i < ROUNDS; i++) {
    const ours = micros(own.pid, proxyPort, target, path, answers)
    const theirs = micros(peer.pid, nginxPort, "-", path, answers)
    ratios.push(ours / theirs)
    pairs.push(`${ours.toFixed(1)}/${theirs.toFixed(1)}`)
  }
  ratios.sort((a, b) => a - b)
  console.log(`${path}: ${ratios[ROUNDS >> 1]!.toFixed(2)} of nginx's CPU (rounds, µs an answer: ${pairs.join(" ")})`)
}

const leaves = new LeafContexts(new Authority(createAuthority({ name: "bench", days: 30 })), 2000)
for (let i = 0; i < 20; i++) leaves.contextFor(`warm${i}.test`)
const times = Array.from({ length: 1000 }, (_, i) => {
  const start = performance.now()
  leaves.contextFor(`n${i}.test`)
  return performance.now() - start
}).sort((a, b) => a - b)
console.log(`a certificate: median ${times[500]!.toFixed(2)} ms, 99 of 100 under ${times[990]!.toFixed(2)} ms`)
cleanUp()
process.exit(0)
