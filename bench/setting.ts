import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { Authority } from "../test/support/certificates.ts"
import { freePort } from "../test/support/ports.ts"
import { isListening, type Program, startProgram, temporaryFolder, untilReady } from "../test/support/processes.ts"

/** What all contenders of one run share: files, certificate, origin. Close it at the end. */
export interface Setting {
  readonly folder: string
  readonly originPort: number
  readonly certFile: string
  readonly keyFile: string
  readonly pemFile: string
  readonly origin: Program
}

/** The proxy has this core for itself; load and origin share the others. On one core there is nothing to separate. */
export const proxyCore = "0"
const cores = availableParallelism()
export const loadCores = cores > 2 ? `1-${cores - 1}` : String(cores - 1)

/** The body of the small answers: 100 octets. */
export const smallBody = "0123456789".repeat(10)

/** 20 KB of JSON as an API gives it: records with numbers, names and times. */
export function jsonBody(): string {
  const records = Array.from({ length: 165 }, (_, i) => ({
    id: 100_000 + ((i * 7919) % 90_000),
    name: `${["Ada", "Ben", "Cleo", "Dan", "Eve"][i % 5]} ${["Ito", "Moor", "Nagy", "Okoye"][(i * 3) % 4]}`,
    mail: `user${(i * 31) % 977}@shop${i % 13}.example`,
    at: new Date(1.7e12 + i * 7_654_321).toISOString(),
    price: ((i * 2654435761) % 1_000_000) / 100,
    open: i % 3 === 0,
  }))
  return JSON.stringify(records)
}

export async function openSetting(): Promise<Setting> {
  const folder = temporaryFolder("bench")
  chmodSync(folder, 0o777)
  mkdirSync(join(folder, "www"))
  writeFileSync(join(folder, "www/1k"), Buffer.alloc(1024, "x"))
  writeFileSync(join(folder, "www/100k"), Buffer.alloc(102_400, "x"))
  writeFileSync(join(folder, "www/20k.json"), jsonBody())
  const { certFile, keyFile } = new Authority().issue(["localhost", "127.0.0.1"])
  const pemFile = join(folder, "both.pem")
  writeFileSync(pemFile, readFileSync(certFile, "utf8") + readFileSync(keyFile, "utf8"))
  const originPort = await freePort()
  const origin = await startOrigin(folder, originPort)
  return { folder, originPort, certFile, keyFile, pemFile, origin }
}

/** nginx, one worker, answering from memory and files: fast enough that it is never what is measured. */
async function startOrigin(folder: string, port: number): Promise<Program> {
  const file = join(folder, "origin.conf")
  const text = `worker_processes 1; daemon off; user root; pid ${folder}/origin.pid; error_log ${folder}/origin.log; worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; sendfile on; tcp_nopush on; default_type text/plain; client_body_temp_path ${folder}/origin-body;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { return 200 "${smallBody}"; }
    location /files/ { alias ${folder}/www/; }
    location ~ ^/gzip[16]/(.*)$ { alias ${folder}/www/$1; types { application/json json; } }
  }
}
`
  writeFileSync(file, text)
  const origin = startProgram("nginx (origin)", "taskset", ["-c", loadCores, "nginx", "-p", folder, "-c", file, "-e", `${folder}/origin.log`])
  await untilReady(origin, () => isListening(port))
  return origin
}
