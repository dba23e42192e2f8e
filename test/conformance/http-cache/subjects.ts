import { chmodSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { startBothways } from "../../support/bothways.ts"
import { startNginx, startSquid } from "../../support/peers.ts"
import { freePort, freePorts } from "../../support/ports.ts"
import { isListening, startProgram, temporaryFolder, untilReady } from "../../support/processes.ts"
import type { Subject } from "./suite.ts"

/** A proxy in front of the suite's origin, until it is disposed of. */
export type RunningSubject = Subject & AsyncDisposable

/** What the suite can be asked through. nginx, Squid and Varnish cache as they do by default, but nothing of which nobody said that it may be kept. */
export const subjects = {
  reverse: startReverse,
  forward: startForward,
  nginx,
  squid,
  "squid-forward": squidForward,
  varnish,
} satisfies Record<string, (origin: string) => Promise<RunningSubject>>

export type SubjectName = keyof typeof subjects

const caches = { main: { memory: "64MB" } }
// What Debian's squid.conf has for everything else; without a line that matches, Squid is a little different.
const refreshing = "refresh_pattern . 0 20% 4320"
const filters = [{ cache: { store: "main", staleIfError: "60s", setCookie: "keep" } }]

async function startReverse(origin: string): Promise<RunningSubject> {
  const host = `127.0.0.1:${await freePort()}`
  const proxy = await startBothways({
    listeners: { web: { bind: host } },
    clusters: { suite: { peers: [origin] } },
    caches,
    routes: [{ filters, to: { cluster: "suite" } }],
  })
  return subject({ host }, proxy)
}

async function startForward(origin: string): Promise<RunningSubject> {
  const proxy = `127.0.0.1:${await freePort()}`
  const program = await startBothways({
    listeners: { egress: { bind: proxy, forward: { privateRanges: ["127.0.0.0/8"] } } },
    caches,
    routes: [{ filters, to: { origin: {} } }],
  })
  return subject({ host: origin, proxy }, program)
}

async function nginx(origin: string): Promise<RunningSubject> {
  const port = await freePort()
  const folder = temporaryFolder("nginx-cache")
  const cache = `proxy_cache_path ${folder} levels=1:2 keys_zone=suite:8m max_size=100m inactive=600m;`
  const use = 'proxy_cache suite; proxy_cache_revalidate on; proxy_http_version 1.1; proxy_set_header Connection "";'
  const server = `server { listen 127.0.0.1:${port}; location / { proxy_pass http://${origin}; ${use} } }`
  return subject({ host: `127.0.0.1:${port}` }, await startNginx(port, `${cache}\n${server}`))
}

async function squid(origin: string): Promise<RunningSubject> {
  const [port, forwardPort] = (await freePorts(2)) as [number, number]
  const [host, originPort] = origin.split(":")
  const lines = [
    `http_port 127.0.0.1:${port} accel defaultsite=${origin} no-vhost`,
    `cache_peer ${host} parent ${originPort} 0 no-query no-digest originserver default name=suite`,
    "cache_peer_access suite allow all",
    "http_access allow all",
    "connect_retries 3",
    refreshing,
  ]
  return subject({ host: `127.0.0.1:${port}` }, await startSquid(forwardPort, lines.join("\n")))
}

async function squidForward(origin: string): Promise<RunningSubject> {
  const port = await freePort()
  return subject({ host: origin, proxy: `127.0.0.1:${port}` }, await startSquid(port, refreshing))
}

async function varnish(origin: string): Promise<RunningSubject> {
  const port = await freePort()
  const folder = temporaryFolder("varnish")
  chmodSync(folder, 0o777)
  const vcl = join(folder, "suite.vcl")
  const [host, originPort] = origin.split(":")
  writeFileSync(vcl, `vcl 4.1;\nbackend default { .host = "${host}"; .port = "${originPort}"; }\n`)
  const parameters = ["default_ttl=0", "default_grace=0", "default_keep=3600"].flatMap(each => ["-p", each])
  const args = ["-F", "-j", "none", "-n", join(folder, "state"), "-a", `127.0.0.1:${port}`, "-f", vcl, "-s", "malloc,64M", ...parameters]
  const program = startProgram("varnish", "varnishd", args, { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } })
  await untilReady(program, () => isListening(port))
  return subject({ host: `127.0.0.1:${port}` }, program)
}

function subject(where: Subject, program: AsyncDisposable): RunningSubject {
  return { ...where, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() }
}
