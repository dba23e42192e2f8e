import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "bun:test"
import { hearRequests, hearResponse, type Verdict } from "./codec-harness.ts"

// The cases of nodejs/llhttp with the verdict of its strict parser; see data/LICENSES.md. Lenient modes are not ours.
interface Case {
  readonly file: string
  readonly name: string
  readonly type: string
  readonly meta: { readonly skipBody?: boolean }
  /** base64 */
  readonly input: string
  readonly error: string | null
}

const CLOSED = "Octets behind a message that ends its connection are not read, and the connection closes (RFC 9112 section 9.6)."
const METHOD = "A proxy forwards methods that it does not know (RFC 9110 section 9.1)."
const TUNNEL_OCTETS = "No protocol was agreed on, so octets behind the request are a second one, and no good one."
const OTHER_PROTOCOL = "ICE and RTSP are other protocols."
const CODING = "We decode no transfer coding but chunked, so we cannot take on such a message (RFC 9112 section 6.1)."

/** Where we differ, and why we may. Stricter than llhttp wherever a message could be read in two ways. */
const differences: Readonly<Record<string, { readonly ours: "takes" | "refuses"; readonly why: string }>> = {
  "No restart when keep-alive is off (1.0)": { ours: "takes", why: CLOSED },
  "HTTP/1.1 with keep-alive disabled and 204 status": { ours: "takes", why: CLOSED },
  "HTTP/1.1 with keep-alive disabled, content-length": { ours: "takes", why: CLOSED },
  "HTTP protocol and ANNOUNCE method": { ours: "takes", why: METHOD },
  "Invalid method": { ours: "takes", why: METHOD },
  "Multiple tokens with folding and LWS": { ours: "refuses", why: TUNNEL_OCTETS },
  "Upgrade GET request": { ours: "refuses", why: TUNNEL_OCTETS },
  "Upgrade POST request": { ours: "refuses", why: TUNNEL_OCTETS },
  "CONNECT with body": {
    ours: "refuses",
    why: "CONNECT has no body (RFC 9110 section 9.3.6): what follows is the tunnel's, and a length would be read in two ways.",
  },
  "M-SEARCH request": { ours: "refuses", why: "Asterisk-form is for OPTIONS alone (RFC 9112 section 3.2.4)." },
  "SOURCE request with ICE": { ours: "refuses", why: OTHER_PROTOCOL },
  "OPTIONS request with RTSP": { ours: "refuses", why: OTHER_PROTOCOL },
  "ANNOUNCE request with RTSP": { ours: "refuses", why: OTHER_PROTOCOL },
  "RTSP response": { ours: "refuses", why: OTHER_PROTOCOL },
  "ICE response": { ours: "refuses", why: OTHER_PROTOCOL },
  "No HTTP version": { ours: "refuses", why: "HTTP/0.9 is not HTTP/1 (RFC 9112 section 2.3 asks for a version)." },
  "HTTP version 0.9": { ours: "refuses", why: "HTTP/0.9 has no status line (RFC 9112 section 4)." },
  "POST with `chunked` as last transfer-encoding": { ours: "refuses", why: CODING },
  "POST with `chunked` as last transfer-encoding (multiple headers)": { ours: "refuses", why: CODING },
  "`chunked` before other transfer-encoding": { ours: "refuses", why: CODING },
  "multiple transfer-encoding where chunked is not the last one": { ours: "refuses", why: CODING },
  "`chunkedchunked` transfer-encoding does not enable chunked enconding": { ours: "refuses", why: CODING },
  "Fragment in URI": { ours: "refuses", why: "A request target has no fragment (RFC 9112 section 3.2); servers cut it off at different places." },
  "`host:port` and basic auth": { ours: "refuses", why: "An http URI with userinfo is an error, or a trick (RFC 9110 section 4.2.4)." },
  "HTTP 100 first, then 400": { ours: "refuses", why: "Empty lines are forgiven in front of requests only (RFC 9112 section 2.2)." },
  "Response starting with CRLF": { ours: "refuses", why: "Empty lines are forgiven in front of requests only (RFC 9112 section 2.2)." },
}

const cases = (JSON.parse(readFileSync(join(import.meta.dirname, "data/llhttp-cases.json"), "utf8")) as Case[]).filter(
  entry => entry.type === "request" || entry.type === "response",
)

/** Most of their requests have no Host, which HTTP/1.1 demands; that is not what they are about. */
function inputOf(entry: Case): string {
  const text = Buffer.from(entry.input, "base64").toString("latin1")
  if (entry.type !== "request" || /host *:/i.test(text)) return text
  return text.replace(/^([!-~]+ [!-~]+ HTTP\/1\.1\r\n)/gm, "$1Host: a.test\r\n")
}

/** What llhttp refuses at once we may refuse when the head is whole. */
function run(entry: Case, cuts: "whole" | "octets"): Verdict {
  const input = inputOf(entry) + (accepts(entry) ? "" : "\r\n\r\n")
  return entry.type === "request"
    ? hearRequests(input, cuts)
    : hearResponse(input, entry.meta.skipBody === true ? "HEAD" : "GET", cuts, "websocket, h2c")
}

/** A pause where the protocol changes is no error. */
function accepts(entry: Case): boolean {
  return entry.error === null || entry.error.startsWith("Pause on CONNECT")
}

describe("the strict cases of llhttp", () => {
  for (const type of ["request", "response"]) {
    test(`${type}s: the same verdict, or a difference with its reason; and never a laxer framing`, () => {
      const unexplained: string[] = []
      for (const entry of cases.filter(one => one.type === type)) {
        const { fault } = run(entry, "whole")
        const ours = fault === ""
        const difference = differences[entry.name]
        if (ours === accepts(entry) || (difference !== undefined && (difference.ours === "takes") === ours)) continue
        unexplained.push(`${entry.name}: llhttp says ${entry.error}, we say ${fault || "fine"}`)
      }
      expect(unexplained).toEqual([])
    })
  }
  test("every difference in the table is one", () => {
    const used = cases.filter(entry => (run(entry, "whole").fault === "") !== accepts(entry)).map(entry => entry.name)
    expect(Object.keys(differences).filter(name => !used.includes(name))).toEqual([])
  })
  test("cut into octets each says the same as whole", () => {
    const different: string[] = []
    for (const entry of cases) {
      const whole = JSON.stringify(run(entry, "whole"))
      const octets = JSON.stringify(run(entry, "octets"))
      // A second request that no line end completes is not looked at yet when it drips in.
      if (whole !== octets && differences[entry.name]?.why !== TUNNEL_OCTETS) different.push(`${entry.name}: ${whole} ${octets}`)
    }
    expect(different).toEqual([])
  })
})
