import { expect, test } from "bun:test"
import { Authority } from "../../support/certificates.ts"
import { h2Origin } from "../../support/h2/h2-origin.ts"
import { startNodeH2 } from "../../support/h2/node-h2-peer.ts"
import { startNginx } from "../../support/peers.ts"
import { freePorts } from "../../support/ports.ts"
import { sections } from "./sections.ts"
import { caseNames, failuresOf } from "./suite.ts"

// The origin of these tools sets no limit here, so that none can be exceeded.
const unlimited = "http2 5.1.2: streams at once: a stream beyond SETTINGS_MAX_CONCURRENT_STREAMS"

// That the cases can pass and can fail, before they say anything about us.

const named = (kind: "objects" | "goes on"): string[] =>
  sections.flatMap(({ title, cases }) => cases.filter(each => each.kind === kind).map(({ name }) => `${title}: ${name}`)).sort()

test("there are 147 cases, each with a name of its own", () => {
  expect(caseNames.length).toBe(147)
  expect(new Set(caseNames).size).toBe(147)
})

test("a server that answers everything and minds nothing passes where it has to go on, and fails wherever it has to object", async () => {
  await using origin = await h2Origin({ script: "long enough" })
  const failed = await failuresOf({ port: origin.port, patienceMs: 500 })
  expect([...failed.keys()].sort()).toEqual(named("objects").filter(name => name !== unlimited))
})

test("a server that falls silent after its SETTINGS fails nearly everything", async () => {
  await using origin = await h2Origin({ script: () => {}, ackPings: false })
  const failed = await failuresOf({ port: origin.port, patienceMs: 500 })
  expect(caseNames.filter(name => !failed.has(name))).toEqual([
    "generic 1: starting: the preface is answered with SETTINGS before anything else",
    "generic 3.4 to 3.9: the other frames: SETTINGS, all of them",
    "http2 3.5: the preface: the preface is answered with SETTINGS before anything else",
    unlimited,
    "http2 6.5.3: their acknowledgement: it comes",
  ])
})

test("what nginx does not pass Node passes, but for DATA on a stream that is closed", async () => {
  const [nodePort, nginxPort] = (await freePorts(2)) as [number, number]
  const { certFile, keyFile } = new Authority().issue(["a.test"])
  const server = `server { listen 127.0.0.1:${nginxPort} ssl http2; ssl_certificate ${certFile}; ssl_certificate_key ${keyFile};`
  await using _nginx = await startNginx(nginxPort, `${server} location / { return 200 "long enough"; } }`)
  await using _node = await startNodeH2(nodePort)
  const nginx = await failuresOf({ port: nginxPort, tls: { servername: "a.test" } })
  const node = await failuresOf({ port: nodePort })
  const late = ["http2 5.1: states of streams: closed by our reset: DATA", "http2 5.1: states of streams: closed: DATA"]
  expect([...nginx.keys()].filter(name => node.has(name) && !late.includes(name))).toEqual([])
})
