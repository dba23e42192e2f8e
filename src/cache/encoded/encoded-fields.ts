import { Fields, NAME, octetFields, weakTag } from "../../http/index.ts"
import { encodeResponse, type StoredResponse } from "../stored.ts"
import type { Coding } from "./coding.ts"

/** Vary, with what the answer depends on since it may be encoded as well (RFC 9110 section 12.5.5). */
export function varyOf(stored: StoredResponse): string {
  const said = stored.fields.joined(NAME.vary)
  if (said === "") return "Accept-Encoding"
  return stored.vary.split(",").includes("accept-encoding") ? said : `${said}, Accept-Encoding`
}

/** The fields of a response that might have been encoded and is not. */
export function identityFields(stored: StoredResponse): Fields {
  return Fields.of(withoutNames(stored.fields, new Set(["vary"])).concat([["Vary", varyOf(stored)]]))
}

/** The fields of an encoded response. */
export function encodedFields(stored: StoredResponse, coding: Coding): Fields {
  const pairs = withoutNames(stored.fields, new Set([...octetFields, "vary", "etag"]))
  if (stored.etag !== "") pairs.push(["ETag", weakTag(stored.etag)])
  pairs.push(["Content-Encoding", coding], ["Vary", varyOf(stored)], ["Accept-Ranges", "none"])
  return Fields.of(pairs)
}

function withoutNames(fields: Fields, names: ReadonlySet<string>): [string, string][] {
  const pairs: [string, string][] = []
  fields.forEach((name, value) => {
    if (!names.has(name.toLowerCase())) pairs.push([name, value])
  })
  return pairs
}

/**
 * The head of an encoded entry: its fields behind a line that names the octets that were encoded, by their SHA-256 in base64. So it is of use for whatever response has that
 * body: the one it was made of, that one after a 304, or one that came anew. What is told of times is the original's as it was then; nobody goes by it.
 */
export function encodedHead(stored: StoredResponse, fields: Fields | null, digest: string): Buffer {
  return encodeResponse(stored, digestLine(digest) + (fields === null ? "" : fields.render()))
}

/** Whether this is the head of what was made of these octets. */
export function isMadeOf(head: Uint8Array, digest: string): boolean {
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).latin1Slice()
  return text.startsWith(digestLine(digest), text.indexOf("\n") + 1)
}

function digestLine(digest: string): string {
  return `Unencoded-Digest: sha-256=:${digest}:\r\n`
}
