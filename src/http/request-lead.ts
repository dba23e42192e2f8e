// HOT
import type { Fields } from "./fields.ts"
import type { Message } from "./message.ts"
import { NAME } from "./names.ts"
import { CONNECT_UDP } from "./udp-target.ts"

const SLASH = 47

/**
 * The pseudo fields of a request, name, value, name, value … (RFC 9113 section 8.3.1, RFC 9114 section 4.3.1; an upgrade is an extended CONNECT, RFC 8441
 * section 4). `target` is what the request line would name; `secure`: the connection is TLS.
 */
export function requestLead(m: Message, target: string, secure: boolean): string[] {
  if (m.method === "CONNECT") return [":method", "CONNECT", ":authority", target]
  let path = target
  let scheme = secure ? "https" : "http"
  if (target.charCodeAt(0) !== SLASH && target !== "*") {
    // Towards a parent proxy: its URL's parts each have a field.
    scheme = m.scheme
    const at = target.indexOf("/", scheme.length + 3)
    const query = target.indexOf("?", scheme.length + 3)
    path = at >= 0 && (query < 0 || at < query) ? target.substring(at) : query >= 0 ? `/${target.substring(query)}` : m.path
  }
  const lead = m.upgrade === "" ? [":method", m.method] : [":method", "CONNECT", ":protocol", m.upgrade]
  const authority = m.upgrade === CONNECT_UDP && path !== target ? authorityOf(target) : hostOf(m.request)
  lead.push(":scheme", scheme)
  if (authority !== "") lead.push(":authority", authority)
  lead.push(":path", path)
  return lead
}

/** Of an absolute URL. */
function authorityOf(url: string): string {
  const from = url.indexOf("//") + 2
  const to = url.indexOf("/", from)
  return url.substring(from, to < 0 ? url.length : to)
}

/** What Host says now, filters included; "" = nothing. */
function hostOf(fields: Fields): string {
  const came = fields.get(NAME.host)
  if (came !== "" || fields.extra === "") return came
  const match = /(?:^|\n)host:[ \t]*([^\r\n]*)/i.exec(fields.extra)
  return match === null ? "" : match[1]!.trim()
}
