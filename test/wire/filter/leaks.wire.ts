import { afterAll, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scriptedServer } from "../../support/scripted-server.ts"

// An origin that tries to find its client: everything that a client, or a proxy in front of us, may have said of it carries a mark, and the origin looks for all of
// them in every octet that reaches it: request line, fields, trailers.
const client = "127.0.0.77"
const marks: Record<string, readonly string[]> = {
  address: [
    "X-Forwarded-For",
    "X-Forwarded",
    "Forwarded-For",
    "X-Real-IP",
    "Client-IP",
    "X-Client-IP",
    "True-Client-IP",
    "X-Cluster-Client-IP",
    "X-Original-Forwarded-For",
    "X-Originating-IP",
    "X-Remote-IP",
    "X-Remote-Addr",
    "X-ProxyUser-IP",
    "CF-Connecting-IP",
    "Fastly-Client-IP",
    "WL-Proxy-Client-IP",
    "X-Envoy-External-Address",
    "X-Forwarded-Host",
    "X-Forwarded-Server",
    "Forwarded",
  ],
  proxy: ["Via", "Proxy-Authorization", "Proxy-Connection"],
  person: ["From"],
  page: ["Referer"],
  identity: [
    "X-Request-Id",
    "X-Correlation-Id",
    "Traceparent",
    "X-B3-TraceId",
    "X-Amzn-Trace-Id",
    "X-Client-Data",
    "Sec-CH-UA-Model",
    "X-Requested-With",
    "X-Request-Start",
    "X-UIDH",
    "X-WAP-Profile",
    "DPR",
  ],
  etag: ["If-None-Match"],
  own: ["User-Agent", "Cookie", "Accept-Language"],
}
const valueOf = (name: string): string => `mark-${name.toLowerCase()}`
const levels = ["transparent", "standard", "anonymous", "high"] as const
const kept: Record<(typeof levels)[number], readonly string[]> = {
  // Via is added to what was there.
  transparent: ["address", "proxy", "person", "page", "identity", "etag", "own", "trailer"],
  standard: ["person", "page", "identity", "etag", "own", "trailer"],
  anonymous: ["page", "identity", "etag", "own"],
  high: ["own"],
}

let seen = ""
const origin = await scriptedServer(async connection => {
  for (;;) {
    const request = await connection.request()
    seen = request.head + request.trailers
    connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
  }
})
const ports = await freePorts(5)
const proxy = await startBothways({
  listeners: Object.fromEntries([
    ...levels.map((level, i) => [level, { bind: `127.0.0.1:${ports[i]}`, forward: { privateRanges: "allow", privacy: level } }]),
    ["most", { bind: `127.0.0.1:${ports[4]}`, forward: { privateRanges: "allow", privacy: "high" } }],
  ]),
  routes: [
    { match: { listener: "most" }, filters: [{ anonymize: { cookies: "drop", referer: "drop" } }], to: { origin: {} } },
    { to: { origin: {} } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await origin.close()
})

async function found(port: number): Promise<string[]> {
  using connection = await rawClient(port, { from: client })
  const lines = Object.values(marks)
    .flat()
    .map(name => `${name}: ${valueOf(name)}`)
  connection.send(
    [
      `POST http://${origin.address}/ HTTP/1.1`,
      `Host: ${origin.address}`,
      "Transfer-Encoding: chunked",
      "Trailer: X-Who",
      ...lines,
      "",
      "2\r\nhi\r\n0\r\nX-Who: mark-trailer\r\n\r\n",
    ].join("\r\n"),
  )
  expect((await connection.response()).status).toBe(103)
  expect((await connection.response()).status).toBe(200)
  const kinds = Object.entries(marks).flatMap(([kind, names]) => {
    const through = names.filter(name => seen.includes(valueOf(name)))
    // A kind is kept or it is not: half of it would be a leak that nobody decided.
    if (through.length > 0 && through.length < names.length && kind !== "proxy" && kind !== "address")
      throw new Error(`${kind}: only ${through.join(", ")}`)
    return through.length > 0 ? [kind] : []
  })
  return [...kinds, ...(seen.includes("mark-trailer") ? ["trailer"] : [])]
}

test.each(levels.map((level, i) => [level, i] as const))("%s: the origin finds what the table says and nothing else", async (level, i) => {
  expect(await found(ports[i]!)).toEqual([...kept[level]])
  for (const name of ["Proxy-Authorization", "Proxy-Connection"]) expect(seen).not.toContain(valueOf(name))
  expect(seen.includes(client)).toBe(level === "transparent")
  if (level !== "transparent") expect(seen.replaceAll("127.0.0.1:", "")).not.toMatch(/127\.0\.0\.|localhost/)
})

test("with the filter anonymize behind `high` nothing of the client is left", async () => {
  expect(await found(ports[4]!)).toEqual([])
  expect(seen).toContain("User-Agent: Mozilla/5.0")
})
