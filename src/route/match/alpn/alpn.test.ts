import { expect, test } from "bun:test"
import { Notes } from "../../../flow/index.ts"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import alpn from "./alpn.ts"

function hello(change: Partial<Notes>) {
  return Object.assign(exchangeOf({}), { notes: Object.assign(new Notes(), change) })
}

test("a protocol among those offered", () => {
  const match = alpn.compile(["h2", "imap"])
  expect([["http/1.1", "h2"], ["http/1.1"], []].map(offered => match(hello({ alpn: offered })))).toEqual([true, false, false])
  expect([match(exchangeOf({})), alpn.describe("h2", exchangeOf({}))]).toEqual([false, "the client offers no protocol in TLS, not h2"])
})
