import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { startNodeH2 } from "../../support/h2/node-h2-peer.ts"
import { figure, scaled } from "../../support/long.ts"
import { startHaproxy, startNginx } from "../../support/peers.ts"
import { freePort } from "../../support/ports.ts"
import { isListening, type Program, startProgram, temporaryFolder, untilReady } from "../../support/processes.ts"
import { reverseConfig } from "../../support/reverse-config.ts"

// HTTP/2 towards the servers that people have, a hundred requests at a time: none fails.

const authority = new Authority()
const leaf = authority.issue(["127.0.0.1", "localhost"])
const folder = temporaryFolder("real-peers")
const pem = join(folder, "leaf.pem")
writeFileSync(pem, leaf.cert + leaf.key)
const body = join(folder, "body")
writeFileSync(body, Buffer.alloc(30_000, "b"))
const big = Buffer.alloc(1_000_000, "x")
writeFileSync(join(folder, "big"), big)

interface Peer {
  readonly tls: boolean
  /** Path of a megabyte. */
  readonly big: string
  readonly pool?: object
  start(port: number): Promise<Program>
}
const nginx = (tls: boolean) => (port: number) => {
  const listen = tls
    ? `listen 127.0.0.1:${port} ssl http2; ssl_certificate ${leaf.certFile}; ssl_certificate_key ${leaf.keyFile};`
    : `listen 127.0.0.1:${port} http2;`
  // A thousand requests are what a connection serves by default. With uploads that it answers unread it would now and then lose an answer at that end.
  return startNginx(
    port,
    `server { ${listen} location / { return 200 "small"; } location /post { keepalive_requests 1000000; return 200 "small"; } location /big { alias ${folder}/big; } }`,
  )
}
const haproxy = (tls: boolean) => (port: number) => {
  const bind = tls ? `ssl crt ${pem} alpn h2` : "proto h2"
  const lines = [
    `  bind 127.0.0.1:${port} ${bind}`,
    "  http-request return status 200 content-type text/plain string small if !{ path /big }",
    `  http-request return status 200 content-type text/plain file ${folder}/big`,
  ]
  return startHaproxy(port, `global\n  tune.bufsize 1100000\nfrontend f\n${lines.join("\n")}`)
}
const caddy = (tls: boolean) => async (port: number) => {
  const site = tls ? `https://127.0.0.1:${port} {\n  tls ${leaf.certFile} ${leaf.keyFile}\n` : `http://127.0.0.1:${port} {\n`
  const file = join(folder, `Caddyfile${port}`)
  const options = "{\n  admin off\n  auto_https off\n  servers {\n    protocols h1 h2 h2c\n  }\n}\n"
  writeFileSync(file, `${options}${site}  root * ${folder}\n  handle /big {\n    file_server\n  }\n  respond small\n}\n`)
  const program = startProgram("caddy", "caddy", ["run", "--config", file, "--adapter", "caddyfile"], {
    env: { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  })
  await untilReady(program, () => isListening(port))
  return program
}
const peers: Record<string, Peer> = {
  "nginx, TLS": { tls: true, big: "/big", start: nginx(true) },
  "nginx, h2c": { tls: false, big: "/big", start: nginx(false) },
  // Ten megabytes of answers on a connection are all that it holds ready (maxSessionMemory).
  "node:http2, TLS": { tls: true, pool: { streamsMax: 8 }, big: "/big/1000000", start: port => startNodeH2(port, { certificate: leaf }) },
  "node:http2, h2c": { tls: false, pool: { streamsMax: 8 }, big: "/big/1000000", start: port => startNodeH2(port) },
  "HAProxy, TLS": { tls: true, big: "/big", start: haproxy(true) },
  "HAProxy, h2c": { tls: false, big: "/big", start: haproxy(false) },
  "Caddy, TLS": { tls: true, big: "/big", start: caddy(true) },
  "Caddy, h2c": { tls: false, big: "/big", start: caddy(false) },
}
const running: { stop(): Promise<unknown> }[] = []
afterAll(() => Promise.all(running.map(each => each.stop())))

async function load(args: readonly string[], count: number): Promise<string> {
  const program = startProgram("h2load", "h2load", ["-t1", "-c10", "-m10", `-n${count}`, ...args])
  const code = await program.exit()
  const output = program.lines.join("\n") + program.stderr
  if (code !== 0 || !output.includes(`status codes: ${count} 2xx`)) throw new Error(`h2load ${args.join(" ")}: ${output}`)
  return /finished in ([^\n]*)/.exec(output)![1]!
}

describe.each(Object.keys(peers))("%s", name => {
  let proxy: Bothways
  let url: string
  const peer = peers[name]!
  test("starts", async () => {
    const [port, at] = [await freePort(), await freePort()]
    running.push(await peer.start(at))
    const speaks = peer.tls ? { tls: { ca: authority.ca.certFile } } : { protocol: "http2" }
    proxy = await startBothways(
      reverseConfig(port, `127.0.0.1:${at}`, {
        cluster: { ...speaks, pool: peer.pool ?? {}, retry: { budget: 0 } },
        listener: { limits: { requestsMax: 0 } },
      }),
    )
    running.push(proxy)
    url = `http://127.0.0.1:${port}`
    expect((await fetch(`${url}/small`)).status).toBe(200)
    expect((await (await fetch(url + peer.big)).bytes()).every(octet => octet === 120)).toBe(true)
  })
  test("GETs", async () => {
    figure(`${name}: GETs`, await load([`${url}/small`], scaled(3000, 30_000)))
  }, 30_000)
  test("POSTs of 30 kB", async () => {
    figure(`${name}: POSTs`, await load(["-d", body, `${url}/post`], scaled(2000, 20_000)))
  }, 30_000)
  test("GETs of 1 MB", async () => {
    figure(`${name}: 1 MB`, await load([url + peer.big], scaled(200, 2000)))
  }, 60_000)
  test("and nothing of it is in the log as a fault", () => {
    expect(proxy.log().filter(line => line.fault !== undefined)).toEqual([])
  })
})
