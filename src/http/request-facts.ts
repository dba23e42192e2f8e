// HOT
import { type Fault, FAULT } from "../base/index.ts"
import { isWord } from "./grammar.ts"
import type { Message } from "./message.ts"
import { NAME } from "./names.ts"
import { rulePath, rulePathResult } from "./rule-path.ts"

// What a request says whatever the version of HTTP that it came by, read when its fields and its target are known.

/** Notes whether the client waits for 100 (Continue) (RFC 9110 section 10.1.1). */
export function readExpect(m: Message): Fault | null {
  const fields = m.request
  m.expectContinue = false
  if (!fields.has(NAME.expect)) return null
  const expect = fields.joined(NAME.expect)
  if (!isWord(expect, 0, expect.length, "100-continue")) return FAULT.expectationFailed
  // An HTTP/1.0 client cannot wait for an interim response.
  m.expectContinue = m.version >= 11
  return null
}

/** Brings the path into the form that rules see, and refuses one that servers would read differently. */
export function readRulePath(m: Message): Fault | null {
  if (m.path.charCodeAt(0) !== 47) {
    m.rulePath = m.path
    m.encodedSlash = false
    return null
  }
  m.rulePath = rulePath(m.path)
  m.encodedSlash = rulePathResult.encodedSlash
  if (rulePathResult.refused) return FAULT.ambiguousPath
  if (rulePathResult.dotSegments) m.path = rulePathResult.forwardPath
  return null
}
