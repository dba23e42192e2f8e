// HOT
import { type Fields, NAME } from "../../http/index.ts"

/** What proxies, balancers and networks write of a client's address, beside the names that the codec knows: each of them has been taken for the truth by some server. */
const addresses: ReadonlySet<string> = new Set([
  "cf-connecting-ip",
  "cf-connecting-ipv6",
  "cf-pseudo-ipv4",
  "fastly-client-ip",
  "forwarded-for",
  "http-client-ip",
  "http-x-forwarded-for",
  "proxy-client-ip",
  "remote-addr",
  "wl-proxy-client-ip",
  "x-appengine-user-ip",
  "x-azure-clientip",
  "x-azure-socketip",
  "x-cluster-client-ip",
  "x-coming-from",
  "x-envoy-external-address",
  "x-forwarded",
  "x-forwarded-by",
  "x-forwarded-server",
  "x-original-forwarded-for",
  "x-originating-ip",
  "x-proxyuser-ip",
  "x-remote-addr",
  "x-remote-ip",
])

/** What tells one client, device or visit from another: ids for tracing, client hints, what phones and their networks add, when a request was begun. */
const identities: ReadonlySet<string> = new Set([
  "baggage",
  "correlation-context",
  "device-memory",
  "dnt",
  "downlink",
  "dpr",
  "ect",
  "request-id",
  "rtt",
  "save-data",
  "traceparent",
  "tracestate",
  "viewport-width",
  "width",
  "x-amzn-trace-id",
  "x-client-data",
  "x-client-trace-id",
  "x-cloud-trace-context",
  "x-correlation-id",
  "x-device-id",
  "x-msisdn",
  "x-nokia-msisdn",
  "x-queue-start",
  "x-request-id",
  "x-request-start",
  "x-requested-with",
  "x-up-calling-line-id",
  "x-uidh",
  "x-wap-profile",
])

/** c f h p r w x: how the names of `addresses` begin. Most fields of a browser begin otherwise (`sec-`). */
const begins = new Uint8Array(128)
for (const name of addresses) begins[name.charCodeAt(0)] = 1

/** Takes off the fields in which somebody in front of us may have written where the client is. */
export function dropAddresses(fields: Fields): void {
  const { ids, raw, spans } = fields
  for (let i = fields.count - 1; i >= 0; i--) {
    if (ids[i] !== NAME.other) continue
    const first = raw.charCodeAt(spans[i * 4]!) | 0x20
    if (begins[first] === 1 && addresses.has(fields.nameAt(i).toLowerCase())) fields.removeAt(i)
  }
}

/** Takes off the fields that tell one client from another; entity tags are among them, for an origin can give each client one of its own. */
export function dropIdentities(fields: Fields): void {
  for (let i = fields.count - 1; i >= 0; i--) {
    if (fields.ids[i] !== NAME.other) continue
    const name = fields.nameAt(i).toLowerCase()
    if (identities.has(name) || name.startsWith("sec-ch-") || name.startsWith("x-b3-")) fields.removeAt(i)
  }
  fields.remove(NAME.ifNoneMatch)
  fields.remove(NAME.ifModifiedSince)
  fields.remove(NAME.ifRange)
}
