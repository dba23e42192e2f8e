import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePorts } from "../test/support/ports.ts"
import { isListening, type Program, startProgram, untilReady } from "../test/support/processes.ts"
import { proxyCore, type Setting } from "./setting.ts"

/** Where one running contender listens. */
export interface Ports {
  readonly plain: number
  readonly tls: number
  readonly forward: number
  readonly admin: number
}

export interface Contender {
  readonly name: string
  /** Its own config for the same work: one worker, access log off, keep-alive to the origin, X-Forwarded-For. */
  config(setting: Setting, ports: Ports): string
  command(file: string, setting: Setting): readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly versionCommand: readonly string[]
}

const root = join(import.meta.dirname, "..")

export const bothways: Contender = {
  name: "Bothways",
  config: ({ folder, originPort, certFile, keyFile }, ports) => `workers: 1
listeners:
  web: { bind: "127.0.0.1:${ports.plain}" }
  secure: { bind: "127.0.0.1:${ports.tls}", tls: { certificates: [ { cert: "${certFile}", key: "${keyFile}" } ] } }
  egress: { bind: "127.0.0.1:${ports.forward}", forward: { privateRanges: allow } }
clusters:
  origin: { peers: [ "127.0.0.1:${originPort}" ] }
routes:
  - match: { listener: egress }
    to: { origin: {} }
  - match: { path: "/static/*" }
    to: { files: { root: "${folder}/www", strip: "/static" } }
  - match: { path: "/gzip1/*" }
    filters: [{ compress: { codings: [gzip], levels: { gzip: 1 } } }]
    to: { cluster: origin }
  - match: { path: "/gzip6/*" }
    filters: [{ compress: { codings: [gzip], levels: { gzip: 6 } } }]
    to: { cluster: origin }
  - match: {}
    to: { cluster: origin }
observe: { accessLog: { to: none } }
admin: { bind: "127.0.0.1:${ports.admin}" }
`,
  command: file => [process.execPath, join(root, "src/main.ts"), "run", file],
  versionCommand: [process.execPath, "--version"],
}

const nginx: Contender = {
  name: "nginx",
  config: ({ folder, originPort, certFile, keyFile }, ports) => `
worker_processes 1; daemon off; user root; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log; worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; sendfile on; tcp_nopush on; default_type text/plain;
  proxy_temp_path ${folder}/nginx-proxy; client_body_temp_path ${folder}/nginx-body;
  upstream origin { server 127.0.0.1:${originPort}; keepalive 256; keepalive_requests 100000000; keepalive_timeout 600s; }
  server {
    listen 127.0.0.1:${ports.plain} backlog=4096; listen 127.0.0.1:${ports.tls} ssl http2 backlog=4096;
    ssl_certificate ${certFile}; ssl_certificate_key ${keyFile}; ssl_session_cache off;
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    location / { proxy_pass http://origin; }
    gzip_types application/json;
    location /gzip1/ { gzip on; gzip_comp_level 1; proxy_pass http://origin; }
    location /gzip6/ { gzip on; gzip_comp_level 6; proxy_pass http://origin; }
    location /static/ { alias ${folder}/www/; open_file_cache max=1000; }
  }
}
`,
  command: (file, { folder }) => ["nginx", "-p", folder, "-c", file, "-e", `${folder}/nginx.log`],
  versionCommand: ["nginx", "-v"],
}

const haproxy: Contender = {
  name: "HAProxy",
  config: ({ originPort, pemFile }, ports) => `
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout client 600s
  timeout server 600s
  timeout connect 5s
  http-reuse always
frontend web
  bind 127.0.0.1:${ports.plain} backlog 4096
  bind 127.0.0.1:${ports.tls} backlog 4096 ssl crt ${pemFile} alpn h2,http/1.1
  option forwardfor
  default_backend origin
backend origin
  server one 127.0.0.1:${originPort}
`,
  command: file => ["haproxy", "-f", file],
  versionCommand: ["haproxy", "-v"],
}

const caddy: Contender = {
  name: "Caddy",
  config: ({ originPort, certFile, keyFile }, ports) => `{
	admin off
	auto_https off
}
http://127.0.0.1:${ports.plain} {
	reverse_proxy 127.0.0.1:${originPort}
}
https://localhost:${ports.tls} {
	bind 127.0.0.1
	tls ${certFile} ${keyFile}
	reverse_proxy 127.0.0.1:${originPort}
}
`,
  command: file => ["caddy", "run", "--adapter", "caddyfile", "--config", file],
  env: { GOMAXPROCS: "1" },
  versionCommand: ["caddy", "version"],
}

const squid: Contender = {
  name: "Squid",
  config: ({ folder }, ports) => `
http_port 127.0.0.1:${ports.forward}
http_access allow all
cache deny all
access_log none
cache_log ${folder}/squid.log
pid_filename ${folder}/squid.pid
coredump_dir ${folder}
max_filedescriptors 8192
shutdown_lifetime 0 seconds
pinger_enable off
visible_hostname squid.test
`,
  command: file => ["squid", "-N", "-f", file],
  versionCommand: ["squid", "-v"],
}

export const contenders: readonly Contender[] = [bothways, nginx, haproxy, caddy, squid]

/** A contender at work. */
export interface Running extends Ports {
  readonly program: Program
  readonly pid: number
}

/** Starts one on ports of its own, pinned to the proxy's core, and waits until it listens. */
export async function startContender(contender: Contender, setting: Setting, env: Record<string, string> = {}): Promise<Running> {
  const [plain, tls, forward, admin] = (await freePorts(4)) as [number, number, number, number]
  const ports = { plain, tls, forward, admin }
  const file = join(setting.folder, `${contender.name}-${plain}.yaml`)
  writeFileSync(file, contender.config(setting, ports))
  const program = startProgram(contender.name, "taskset", ["-c", proxyCore, ...contender.command(file, setting)], {
    env: { XDG_DATA_HOME: setting.folder, XDG_CONFIG_HOME: setting.folder, ...contender.env, ...env },
  })
  await untilReady(program, () => isReady(contender, ports))
  return { ...ports, program, pid: program.pid }
}

/** Ours says when it is ready: its ports are tried, and let go again, before the worker takes them. */
async function isReady(contender: Contender, { plain, forward, admin }: Ports): Promise<boolean> {
  if (contender !== bothways) return isListening(contender === squid ? forward : plain)
  return fetch(`http://127.0.0.1:${admin}/readyz`).then(
    response => response.ok,
    () => false,
  )
}

/** The first version number that it prints, or null when it is not installed. */
export function versionOf(contender: Contender): string | null {
  const [command, ...args] = contender.versionCommand
  try {
    const output = execFileSync("sh", ["-c", '"$0" "$@" 2>&1', command!, ...args], { encoding: "utf8" })
    return /\d+\.\d+[.\d]*/.exec(output)?.[0] ?? "unknown version"
  } catch {
    return null
  }
}
