import { chmodSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { isListening, type Program, startProgram, temporaryFolder, untilReady } from "./processes.ts"

// Real servers and proxies on the other side. `npm test` installs them where it may.

/** nginx in the foreground; `http` is what stands inside `http { }`, with a `listen 127.0.0.1:port`. */
export function startNginx(port: number, http: string): Promise<Program> {
  const folder = peerFolder("nginx")
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(name => `${name}_temp_path ${folder}/${name};`).join(" ")
  const lines = [
    "daemon off; worker_processes 1; user root;",
    `pid ${folder}/pid; error_log ${folder}/error.log;`,
    "events { worker_connections 1024; }",
    `http { access_log off; ${temporary}`,
    http,
    "}\n",
  ]
  return startPeer("nginx", port, folder, lines.join("\n"), file => ["-p", folder, "-c", file, "-e", join(folder, "error.log")])
}

/** HAProxy in the foreground; `sections` are its frontends and backends. */
export function startHaproxy(port: number, sections: string): Promise<Program> {
  const folder = peerFolder("haproxy")
  const defaults = "defaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"
  return startPeer("haproxy", port, folder, `${defaults}${sections}\n`, file => ["-f", file])
}

/** Squid as a forward proxy open to this machine; `lines` are added to its config. */
export function startSquid(port: number, lines = ""): Promise<Program> {
  const folder = peerFolder("squid")
  const config = [
    `http_port 127.0.0.1:${port}`,
    `pid_filename ${folder}/pid`,
    `cache_log ${folder}/cache.log`,
    `coredump_dir ${folder}`,
    "shutdown_lifetime 0 seconds",
    "pinger_enable off",
    "visible_hostname squid.test",
    lines,
    "access_log none",
    "http_access allow localhost",
    "http_access deny all",
    "",
  ]
  return startPeer("squid", port, folder, config.join("\n"), file => ["-N", "-f", file])
}

async function startPeer(name: string, port: number, folder: string, config: string, args: (file: string) => string[]): Promise<Program> {
  const file = join(folder, `${name}.conf`)
  writeFileSync(file, config)
  const program = startProgram(name, name, args(file), { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } })
  await untilReady(program, () => isListening(port))
  return program
}

// Some of them change to a user of their own and still want to write here.
function peerFolder(name: string): string {
  const folder = temporaryFolder(name)
  chmodSync(folder, 0o777)
  return folder
}
