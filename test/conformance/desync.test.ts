import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "bun:test"
import { parse } from "yaml"
import { startBothways } from "../support/bothways.ts"
import { freePort } from "../support/ports.ts"
import { rawClient } from "../support/raw-client.ts"
import { reverseConfig } from "../support/reverse-config.ts"
import { strictOrigin } from "../support/strict-origin.ts"

// The cases of aws/http-desync-guardian (data/LICENSES.md), sent to the running proxy. Its tiers: a compliant or acceptable request should pass, an ambiguous
// one be refused or made plain, a severe one never reach the origin.
interface Case {
  readonly name: string
  readonly uri: string
  readonly method: string
  readonly version: string
  readonly headers: readonly { readonly name: string; readonly value: string | number }[] | null
  readonly expected: { readonly tier: "Compliant" | "Acceptable" | "Ambiguous" | "Severe"; readonly reason: string }
}

const CODING = "We decode no transfer coding but chunked (RFC 9112 section 6.1: 501)."
const NAME = "A field name with such an octet, or a space behind it, must be refused (RFC 9110 section 5.1, RFC 9112 section 5.1)."
const VALUE = "A control octet in a value is refused (RFC 9110 section 5.5)."
const VERSION = "The version is not one that we speak, or none (RFC 9112 section 2.3)."
const TARGET = "A request target has no space and no fragment, and is not empty (RFC 9112 section 3.2)."
const CONTROL = "Servers read encoded control octets in a path differently; rules could be walked around."

/** Refused although their tier would let them pass: by RFC 9112, or because rules could be walked around. */
const refusals: Readonly<Record<string, string>> = {
  "Correct TE OK": CODING,
  "Transfer-Encoding: identity and chunked OK": CODING,
  "Multiple transfer encoding headers in a single request OK": CODING,
  "TE with custom parameters OK": CODING,
  "Different Transfer-Encoding headers": CODING,
  "Different Transfer-Encoding headers combined": CODING,
  "Transfer-Encoding with a param: chunked;custom_param": CODING,
  "No TE/CL headers, some others are non-compliant": NAME,
  "TE and some others are non-compliant": NAME,
  "CL and some others are non-compliant": NAME,
  "A non-essential header with a non-printable character (x01)": NAME,
  "Some-Header\\x01": NAME,
  "\\x01Some-Header": NAME,
  "Some-Header: \\x01value": VALUE,
  "Some-Header: value\\x01": VALUE,
  "Non-RFC, but OK HTTP/0.9": VERSION,
  "Empty version, which means HTTP/0.9": VERSION,
  "Unknown but OK HTTP/1.2": VERSION,
  "Extra spaces in version": VERSION,
  "Compliant URL": TARGET,
  "Empty URI": TARGET,
  "International in URI": TARGET,
  "[space] in URI": TARGET,
  "%09 in URI is OK": CONTROL,
  "%0D in URI is OK": CONTROL,
  "%0A in URI is OK": CONTROL,
}

const BODY = "Its framing is plain and does not depend on the method (RFC 9112 section 6.3); the origin gets it as one message."
/** Ambiguous ones that pass, as exactly the message that the client framed. */
const passes: Readonly<Record<string, string>> = {
  "Get with a body and Content-Length": BODY,
  "Get with a body and Transfer-Encoding": BODY,
  "Head with a body and Content-Length": BODY,
  "Head with a body and Transfer-Encoding": BODY,
  "Has a CL in GET": BODY,
  "Has a TE in GET": BODY,
}

const folder = join(import.meta.dirname, "data/desync")
const cases = readdirSync(folder)
  .sort()
  .flatMap(file => parse(readFileSync(join(folder, file), "utf8")) as Case[])

const named = (entry: Case, name: RegExp) => entry.headers?.find(header => name.test(header.name))

/** The body that the fields announce, as far as one can tell. */
function bodyOf(entry: Case): { sent: string; meant: number } {
  if (named(entry, /transfer.encoding/i)) return { sent: "5\r\nhello\r\n0\r\n\r\n", meant: 5 }
  const length = String(named(entry, /^content-length$/i)?.value ?? "").trim()
  // A body of a gigabyte is begun, no more.
  return /^\d+$/.test(length) && Number(length) < 100_000
    ? { sent: "b".repeat(Number(length)), meant: Number(length) }
    : { sent: "", meant: Number(length) || 0 }
}

function bytesOf(entry: Case): Buffer {
  const lines = (entry.headers ?? []).map(({ name, value }) => `${name}: ${value}\r\n`)
  if (!named(entry, /^\s*host\s*$/i)) lines.unshift("Host: a.test\r\n")
  const text = `${entry.method} ${entry.uri} ${entry.version}\r\n${lines.join("")}\r\n${bodyOf(entry).sent}`
  // Escapes of the file are octets; letters of other alphabets are UTF-8.
  return Buffer.concat([...text].map(letter => Buffer.from(letter, letter.charCodeAt(0) < 256 ? "latin1" : "utf8")))
}

const port = await freePort()
const origin = await strictOrigin()
const proxy = await startBothways(reverseConfig(port, origin.address))
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})

type Outcome = "refused" | "passed" | "wrong"

async function outcomeOf(entry: Case): Promise<{ outcome: Outcome; what: string }> {
  origin.clear()
  using client = await rawClient(port)
  client.send(bytesOf(entry))
  const { sent, meant } = bodyOf(entry)
  if (meant > 0 && sent === "") {
    // Only begun: the head must reach the origin.
    client.send("b")
    const deadline = performance.now() + 2000
    while (!origin.received.endsWith("b") && client.received === "" && performance.now() < deadline)
      await new Promise(resolve => setTimeout(resolve, 5))
    return { outcome: origin.received !== "" ? "passed" : "refused", what: client.received }
  }
  const { status } = await client.response(entry.method, 2000)
  const what = `status ${status}, requests ${JSON.stringify(origin.requests)}, faults ${origin.faults}`
  if (status >= 400) return { outcome: origin.received === "" ? "refused" : "wrong", what }
  const [request] = origin.requests
  const plain = origin.requests.length === 1 && origin.faults.length === 0 && request?.method === entry.method && request.body.length === meant
  return { outcome: plain && status === 200 ? "passed" : "wrong", what }
}

describe("http-desync-guardian", () => {
  test("159 requests: severe ones never reach the origin; each other one passes as it was meant or is refused for a reason", async () => {
    expect(cases.length).toBe(159)
    const wrong: string[] = []
    let severe = 0
    for (const entry of cases) {
      const { tier } = entry.expected
      const { outcome, what } = await outcomeOf(entry)
      const mayPass =
        tier === "Compliant" || tier === "Acceptable" ? refusals[entry.name] === undefined : passes[entry.name] !== undefined && tier === "Ambiguous"
      if (tier === "Severe" && outcome === "refused") severe++
      if (outcome !== (mayPass ? "passed" : "refused"))
        wrong.push(`${tier} ${entry.name}: ${outcome}: ${what} for ${JSON.stringify(bytesOf(entry).toString("latin1"))}`)
    }
    expect(wrong).toEqual([])
    expect(severe).toBe(58)
  }, 20_000)
})
