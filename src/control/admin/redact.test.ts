import { expect, test } from "bun:test"
import { REDACTED, redact } from "./redact.ts"

test("secrets are gone, everything else stays, functions are named", () => {
  function byTenant() {}
  const shown = redact({
    admin: { bind: { host: "127.0.0.1", port: 9900 }, token: "s3cret", hosts: [] },
    listeners: { web: { tls: { certificates: [{ cert: "a.pem", key: "a.key" }] }, forward: { auth: { htpasswd: "users", realm: "proxy" } } } },
    filters: [
      { name: "set-headers", options: { set: { Authorization: "Bearer x", "X-Api-Key": "k", "X-A": "1" } } },
      { name: "own", options: byTenant },
    ],
    upstream: "http://user:pass@proxy.test:3128",
    acme: { issuers: [{ eab: { kid: "me", hmacKey: "c2VjcmV0" } }] },
    passwordless: true,
    none: null,
  })
  expect(shown).toEqual({
    admin: { bind: { host: "127.0.0.1", port: 9900 }, token: REDACTED, hosts: [] },
    listeners: { web: { tls: { certificates: [{ cert: "a.pem", key: "a.key" }] }, forward: { auth: { htpasswd: "users", realm: "proxy" } } } },
    filters: [
      { name: "set-headers", options: { set: { Authorization: REDACTED, "X-Api-Key": REDACTED, "X-A": "1" } } },
      { name: "own", options: "(function byTenant)" },
    ],
    upstream: `http://${REDACTED}@proxy.test:3128`,
    acme: { issuers: [{ eab: { kid: "me", hmacKey: REDACTED } }] },
    passwordless: true,
    none: null,
  })
})
