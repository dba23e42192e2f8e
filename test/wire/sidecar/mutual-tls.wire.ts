import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { run } from "../../support/run.ts"
import { scriptedServer } from "../../support/scripted-server.ts"

// The two examples as they are, on ports of the test's own, with a service and a "database" behind them.
const examples = join(import.meta.dirname, "../../../examples")
const folder = temporaryFolder("mesh")
let asked: string[] = []
let failures = 0
const stock = await scriptedServer(async connection => {
  for (;;) {
    const request = await connection.request()
    asked.push(`${request.start} ${request.fields["client-cert"] === undefined ? "nobody" : "somebody"}`)
    const fails = failures-- > 0
    connection.send(fails ? "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n" : "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nitems")
  }
})
const database = await scriptedServer(async connection => {
  connection.send(`you said ${(await connection.bytes(5)).toUpperCase()}`)
  connection.fin()
})
const ports = await freePorts(4)
const sidecars: Bothways[] = []
const texts: Record<string, string> = {}
const file = (name: string): string => join(folder, name)

beforeAll(async () => {
  const [front, tcp, mesh, meshTcp] = ports as [number, number, number, number]
  const replaced: Record<string, number> = { "7001": front, "7002": tcp, "7443": mesh, "7444": meshTcp, "8001": stock.port, "5432": database.port }
  for (const name of ["sidecar-orders.yaml", "sidecar-stock.yaml"]) {
    const text = readFileSync(join(examples, name), "utf8")
    if (name === "sidecar-orders.yaml")
      for (const line of text.split("\n").filter(line => line.startsWith("#   openssl ")))
        execFileSync("sh", ["-c", line.slice(1)], { cwd: folder, stdio: "ignore" })
    texts[name] = text
      .replace(/(?<=:)(7001|7002|7443|7444|8001|5432)(?=")/g, port => String(replaced[port]))
      .replace(/(?:mesh-ca|orders|stock)\.(?:pem|key)/g, file)
  }
  for (const text of Object.values(texts)) sidecars.push(await startBothways(text))
}, 20_000)
afterAll(async () => {
  await Promise.all(sidecars.map(sidecar => sidecar.stop()))
  await stock.close()
  await database.close()
})

describe("two services with a sidecar each", () => {
  test("a plain call arrives over TLS with the caller's certificate; a 503 is tried again for GET and not for POST", async () => {
    expect((await run("curl", "-s", `http://127.0.0.1:${ports[0]}/items/1`)).stdout).toBe("items")
    expect(asked).toEqual(["GET /items/1 HTTP/1.1 somebody"])
    asked = []
    failures = 2
    expect((await run("curl", "-s", `http://127.0.0.1:${ports[0]}/items/2`)).stdout).toBe("items")
    expect(asked.length).toBe(3)
    asked = []
    failures = 1
    expect((await run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-d", "x", `http://127.0.0.1:${ports[0]}/items`)).stdout).toBe("503")
    expect(asked.length).toBe(1)
  })

  test("a database speaks through them", async () => {
    using client = await rawClient(ports[1]!)
    client.send("hello")
    expect(await client.bytes("you said HELLO".length)).toBe("you said HELLO")
  })

  test("who is not in the mesh does not get in: plain, without a certificate, of another authority, of another service", async () => {
    asked = []
    const url = `https://stock:${ports[2]}/items`
    const at = ["-s", "--resolve", `stock:${ports[2]}:127.0.0.1`, "--cacert", file("mesh-ca.pem")]
    expect((await run("curl", "-s", `http://127.0.0.1:${ports[2]}/items`)).stdout).not.toContain("items")
    expect((await run("curl", ...at, url)).code).not.toBe(0)
    const stranger = new Authority().issue(["orders"])
    expect((await run("curl", ...at, "--cert", stranger.certFile, "--key", stranger.keyFile, url)).code).not.toBe(0)
    const itself = await run("curl", ...at, "--cert", file("stock.pem"), "--key", file("stock.key"), url)
    expect(itself.stdout).toBe("this service is not for you\n")
    expect((await run("curl", ...at, "--cert", file("orders.pem"), "--key", file("orders.key"), url)).stdout).toBe("items")
    expect(asked.length).toBe(1)
  })
})
