import { type TemplatePart, type TemplateWords, parseTemplate } from "../base/index.ts"
import type { Exchange } from "../flow/index.ts"
import { fieldText } from "./headers/edit-fields.ts"
import { connectionOf, verifiedCertificate } from "./client-certificate.ts"

/** Reads a part of a value as octets, one character each, ready to be sent. */
export type ValueReader = (x: Exchange) => string

const octets: Readonly<Record<string, ValueReader>> = {
  client: x => x.clientAddress,
  peerAddress: x => x.peerAddress,
  host: x => x.host,
  authority: x => x.authority,
  port: x => String(x.port),
  scheme: x => x.scheme,
  method: x => x.method,
  path: x => x.path,
  query: x => x.query,
  status: x => (x.status === 0 ? "" : String(x.status)),
  peer: x => x.peerName,
  tlsVersion: x => connectionOf(x)?.tlsVersion ?? "",
  certificateSerial: x => verifiedCertificate(x)?.serialNumber ?? "",
  certificateFingerprint: x => verifiedCertificate(x)?.fingerprint256 ?? "",
}

// Names and users are text; on the wire they are UTF-8.
const texts: Readonly<Record<string, ValueReader>> = {
  user: x => x.user,
  listener: x => x.listener?.name ?? "",
  route: x => x.plan?.route.name ?? "",
  cluster: x => x.plan?.route.cluster ?? "",
  tlsName: x => connectionOf(x)?.serverName ?? "",
  certificateSubject: x => verifiedCertificate(x)?.name ?? "",
}

/**
 * Words that a value may name. `${requestField:name}` is a field of the request, `${responseField:name}` one of the response, `${cookie:name}` a cookie of the
 * request, `${parameter:name}` the first parameter of the query with this name, percent-encoded as it came.
 */
export const variableWords: TemplateWords = {
  plain: [...Object.keys(octets), ...Object.keys(texts)],
  withArgument: ["requestField", "responseField", "cookie", "parameter"],
}

/** Readers of the parts of a value, text between variables included. Throws TemplateError. */
export function compileValue(text: string): ValueReader[] {
  return parseTemplate(text, variableWords).map(readerOf)
}

function readerOf(part: TemplatePart): ValueReader {
  if (typeof part === "string") {
    const fixed = utf8Octets(part)
    return () => fixed
  }
  const { argument } = part
  if (part.word === "cookie") return x => cookieText(fieldText(x.request, "cookie"), argument)
  if (part.word === "parameter") return x => parameterText(x.query, argument)
  const name = argument.toLowerCase()
  if (part.word === "requestField") return x => fieldText(x.request, name)
  if (part.word === "responseField") return x => fieldText(x.response, name)
  const text = texts[part.word]
  return text === undefined ? octets[part.word]! : x => utf8Octets(text(x))
}

/** UTF-8 octets of a text, one character each; control characters, which would end the line, become spaces. */
function utf8Octets(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text
  return Buffer.from(text.replace(/[\x00-\x1f\x7f]/g, " "), "utf8").toString("latin1")
}

/** The value of a cookie in a Cookie field (RFC 6265 section 4.2.1), "" when it is not there. */
export function cookieText(cookies: string, name: string): string {
  let at = 0
  while (at < cookies.length) {
    while (cookies.charCodeAt(at) === 32 || cookies.charCodeAt(at) === 59) at++
    let end = cookies.indexOf(";", at)
    if (end < 0) end = cookies.length
    if (cookies.startsWith(name, at) && cookies.charCodeAt(at + name.length) === 61) return cookies.substring(at + name.length + 1, end).trim()
    at = end + 1
  }
  return ""
}

function parameterText(query: string, name: string): string {
  let at = 1
  while (at < query.length) {
    let end = query.indexOf("&", at)
    if (end < 0) end = query.length
    if (query.startsWith(name, at) && query.charCodeAt(at + name.length) === 61) return query.substring(at + name.length + 1, end)
    at = end + 1
  }
  return ""
}
