import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { startNginx } from "../../support/peers.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { until } from "../../support/wait.ts"

// A service decides: once one that says what the test wants, once nginx; and once none.
const upstream = await recorder()
const [port, nginxPort, dead] = (await freePorts(3)) as [number, number, number]
let verdict = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
const service = await recorder(() => verdict)
const nginx = await startNginx(
  nginxPort,
  `server { listen 127.0.0.1:${nginxPort};
    location /verify {
      if ($http_cookie !~ "session=good") { add_header Set-Cookie "attempt=1" always; return 302 https://login.test/?rd=$http_x_forwarded_uri; }
      add_header Remote-User "nginx says $http_x_forwarded_method" always; return 204;
    } }`,
)
const filter = (cluster: string, more: object = {}) => ({
  "forward-auth": { cluster, path: "/verify?x=1", copy: ["Remote-User", "X-Auth-Groups"], ...more },
})
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${port}` } },
  clusters: {
    app: { peers: [upstream.address] },
    service: { peers: [service.address] },
    nginx: { peers: [`127.0.0.1:${nginxPort}`] },
    dead: { peers: [`127.0.0.1:${dead}`] },
  },
  routes: [
    { name: "nginx", match: { path: "/nginx/*" }, filters: [filter("nginx", { user: "Remote-User" })], to: { cluster: "app" } },
    { name: "dead", match: { path: "/dead" }, filters: [filter("dead")], to: { cluster: "app" } },
    { name: "slow", match: { path: "/slow" }, filters: [filter("service", { timeout: "200ms" })], to: { cluster: "app" } },
    { name: "app", match: {}, filters: [filter("service")], to: { cluster: "app" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await nginx.stop()
  await service[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
})
const base = `http://127.0.0.1:${port}`

describe("forward-auth", () => {
  test("nginx decides", async () => {
    const refused = await fetch(`${base}/nginx/a?b=c`, { redirect: "manual" })
    expect([refused.status, refused.headers.get("location"), refused.headers.get("set-cookie")]).toEqual([
      302,
      "https://login.test/?rd=/nginx/a?b=c",
      "attempt=1",
    ])
    expect(upstream.requests).toEqual([])
    const let_in = await fetch(`${base}/nginx/a`, {
      method: "POST",
      body: "hello",
      headers: { Cookie: "session=good", "Remote-User": "root", Remote_User: "root" },
    })
    expect(let_in.status).toBe(200)
    const { fields, body, head } = upstream.requests.at(-1)!
    expect([fields["remote-user"], body, head.includes("root")]).toEqual(["nginx says POST", "hello", false])
    await until(() => proxy.log().some(line => line.user === "nginx says POST"))
  })

  test("fields of the service's answer cannot be smuggled, nominated away or doubled (O-10)", async () => {
    verdict = "HTTP/1.1 200 OK\r\nRemote-User: ann\r\nX-Auth-Groups: a\r\nX-Auth-Groups: b\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"
    using client = await rawClient(port)
    client.send(
      "GET /who HTTP/1.1\r\nHost: app.test\r\nRemote-User: root\r\nX-Auth-Groups: wheel\r\nREMOTE-USER: root\r\nremote_user: root\r\n" +
        "X-Forwarded-Uri: /public\r\nConnection: close, Remote-User, X-Auth-Groups, X-Forwarded-Uri\r\n\r\n",
    )
    expect((await client.response()).status).toBe(200)
    const { head } = upstream.requests.at(-1)!
    expect(head.match(/^(remote.user|x-auth-groups).*$/gim)).toEqual(["Remote-User: ann", "X-Auth-Groups: a", "X-Auth-Groups: b"])
    const question = service.requests.at(-1)!
    expect([question.start, question.fields.host, question.fields["x-forwarded-uri"], question.head.includes("root")]).toEqual([
      "GET /verify?x=1 HTTP/1.1",
      "app.test",
      "/who",
      false,
    ])
  })

  test("its refusals go to the client with their body; a body of the request waits meanwhile and the connection goes on", async () => {
    verdict = 'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nlog in\n'
    const before = upstream.requests.length
    using client = await rawClient(port)
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
    const refused = await client.response()
    expect([refused.status, refused.body, refused.fields["www-authenticate"]]).toEqual([401, "log in\n", 'Basic realm="x"'])
    expect(service.requests.at(-1)!.body).toBe("")
    expect(upstream.requests.length).toBe(before)
  })

  test("nobody there, no answer in time, an error, too much: 503, and nothing reaches the peer", async () => {
    const before = upstream.requests.length
    const statuses = [(await fetch(`${base}/dead`)).status]
    verdict = ""
    statuses.push((await fetch(`${base}/slow`)).status)
    for (const answer of [
      "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
      `HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n${"x".repeat(100_000)}`,
      "garbage\r\n\r\n",
    ]) {
      verdict = answer
      statuses.push((await fetch(`${base}/a`)).status)
    }
    expect(statuses).toEqual([503, 503, 503, 503, 503])
    expect(upstream.requests.length).toBe(before)
    await until(() => proxy.log().filter(line => line.fault === "proxy.auth-unavailable").length === 5)
  })
})
