import { writeFileSync } from "node:fs"
import { DnsServer } from "../../../src/net/resolve/dns-server.fixture.ts"
import { Authority, type Certificate } from "../../support/certificates.ts"
import { freePort } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { run } from "../../support/run.ts"

/** A request as a site got it. */
export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: Headers
}

export interface Site {
  readonly port: number
  readonly asked: Asked[]
}

/** A server of the world outside, over TLS, with what it was asked. /cached may be stored, /ws speaks WebSocket, /big/N sends N MB. */
export function startSite(certificate: Certificate, { hostname = "127.0.0.1", ca }: { hostname?: string; ca?: string } = {}): Site {
  const asked: Asked[] = []
  const tls = {
    cert: certificate.cert,
    key: certificate.key,
    ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }),
  }
  const server = Bun.serve({
    hostname,
    port: 0,
    tls,
    async fetch(request, own) {
      const { pathname } = new URL(request.url)
      asked.push({ method: request.method, path: pathname, headers: request.headers })
      if (pathname === "/ws" && own.upgrade(request)) return
      if (pathname.startsWith("/big/")) return new Response(streamOf(Number(pathname.slice(5))))
      if (request.method === "POST") return new Response(`${(await request.arrayBuffer()).byteLength} octets`)
      const cache: Record<string, string> = pathname === "/cached" ? { "Cache-Control": "max-age=60" } : {}
      return new Response(`page ${pathname} ${asked.length}\n`, { headers: cache })
    },
    websocket: { message: (socket, text) => void socket.send(`echo ${text}`) },
  })
  return { port: server.port!, asked }
}

function streamOf(megabytes: number): ReadableStream {
  const chunk = new Uint8Array(1024 * 1024)
  let left = megabytes
  return new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(chunk)
      else controller.close()
    },
  })
}

/** Names that lead to this machine. */
export async function namesHere(...names: string[]): Promise<string> {
  const dns = await DnsServer.start()
  for (const name of names) dns.say(name, { a: ["127.0.0.1"] })
  return dns.address
}

export interface World {
  readonly upstream: Authority
  /** The authority that the proxy signs with. */
  readonly own: Authority
  readonly port: number
}

export async function newWorld(): Promise<World> {
  return { upstream: new Authority("World"), own: new Authority("Inside"), port: await freePort() }
}

/** An authority that nobody knows, in a file. */
export function strangerFile(): string {
  return new Authority("Stranger").ca.certFile
}

/** A certificate that is signed by itself. */
export async function selfSigned(name: string): Promise<Certificate> {
  const folder = temporaryFolder("self")
  const certFile = `${folder}/self.crt`
  const keyFile = `${folder}/self.key`
  const names = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`]
  await run(
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-keyout",
    keyFile,
    "-out",
    certFile,
    ...names,
  )
  return { certFile, keyFile, cert: await Bun.file(certFile).text(), key: await Bun.file(keyFile).text() }
}

/** curl through the proxy. Gives status, version of HTTP and what it said. */
export async function curl(proxy: number, url: string, ...words: string[]): Promise<{ status: number; version: string; body: string; code: number }> {
  const { code, stdout } = await run(
    "curl",
    "-sS",
    "--max-time",
    "10",
    "--noproxy",
    "",
    "-x",
    `http://127.0.0.1:${proxy}`,
    "-w",
    "\n%{http_code} %{http_version}",
    ...words,
    url,
  )
  const at = stdout.lastIndexOf("\n")
  const [status = "", version = ""] = stdout.slice(at + 1).split(" ")
  return { code, status: Number(status), version, body: stdout.slice(0, at) }
}

/** A file of so many MB. */
export function fileOf(megabytes: number): string {
  const file = `${temporaryFolder("body")}/body`
  writeFileSync(file, Buffer.alloc(megabytes * 1024 ** 2))
  return file
}
