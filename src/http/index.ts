export { Fields } from "./fields.ts"
export { BODY_CHUNKED, BODY_CLOSE, BODY_LENGTH, BODY_NONE, BODY_TUNNEL, type BodyKind, type Message } from "./message.ts"
export { NAME, nameId, nameOf } from "./names.ts"
export type { Downstream, DownstreamConnection, ReleasedWire, TunnelEnd, TunnelReceiver, Upstream } from "./sides.ts"
export { ClientConnection } from "./h1/client.ts"
export type { AttemptTimes, ClientHooks, KeptConnection, SharedConnection, SharedFacts, UpstreamConnection } from "./client-hooks.ts"
export { H2ClientConnection } from "./h2/client.ts"
export type { H2PeerTuning, H2Tuning } from "./h2/tuning.ts"
export { isWord, listHas } from "./grammar.ts"
export { parseRequestHead, REFUSED, refusal } from "./h1/request-head.ts"
export { acceptConnection } from "./accept-connection.ts"
export { reasonOf } from "./reason.ts"
export { H3ClientConnection } from "./h3/client.ts"
export { H3ServerConnection } from "./h3/server.ts"
export { ServerConnection } from "./h1/server.ts"
export type { HeadLimits, ServerHooks, ServerTimeouts, StreamLimits } from "./server-hooks.ts"
export type { Time } from "../net/index.ts"
export { forwardPath, rulePath, type RulePathResult, rulePathResult } from "./rule-path.ts"
export { WireTunnel } from "./h1/wire-tunnel.ts"
export { asksForUdp, CONNECT_UDP, readUdpTarget } from "./udp-target.ts"
export { UdpTunnel } from "./udp-tunnel.ts"
export { parseHttpDate } from "./rules/http-date.ts"
export {
  type ConditionalFields,
  type ConditionalVerdict,
  entityTagMatches,
  evaluateConditions,
  hasStrongDate,
  isStrongTag,
  rangeApplies,
  type Validators,
} from "./rules/conditional.ts"
export { type ByteRange, type ContentRange, parseContentRange, parseRange, rangesMax } from "./rules/range.ts"
export {
  BACKSLASH,
  COMMA,
  EQUALS,
  HTAB,
  isSame,
  isSpace,
  isToken,
  isTokenOctet,
  QUOTE,
  readDigits,
  SECONDS_MAX,
  SEMICOLON,
  skipSpace,
  SP,
  trimEnd,
} from "./rules/scan.ts"
export { AcceptedCodings } from "./accepted-codings.ts"
export { isCompressibleType } from "./compressible-type.ts"
export { octetFields, weakTag } from "./octet-fields.ts"
export type { SocksOptions } from "./socks/socks-options.ts"
export { asksToBind, BOUND } from "./socks/bind.ts"
export { asksForRelay, QuietEnd } from "./socks/quiet-end.ts"
export { SocksServerConnection } from "./socks/socks-server.ts"
export { RawServerConnection, type RawKind, type RawOptions } from "./raw/raw-server.ts"
export { FcgiConnection } from "./fcgi/client.ts"
export type { FcgiOptions } from "./fcgi/params.ts"
export { RawClientConnection } from "./raw/raw-client.ts"
export { DnsExchange, DnsServerConnection } from "./dns/dns-server.ts"
export { TransparentConnection, type TransparentOptions } from "./transparent/transparent-server.ts"
export { WordlessDownstream } from "./wordless-sides.ts"
