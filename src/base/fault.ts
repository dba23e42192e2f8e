/**
 * The one table of everything that can go wrong with an exchange.
 * Metrics, the log's `fault` field, local replies and docs/faults.md derive from it.
 */
export type FaultSource = "client" | "proxy" | "upstream" | "plugin"

/** When another attempt is allowed (RFC 9110 section 9.2.2): `if-reused` = only a kept-alive connection that died unused. */
export type RetryRule = "never" | "if-reused" | "if-idempotent" | "always"

export interface Fault {
  /** `source.what`, the word in logs, metrics and docs. */
  readonly code: string
  readonly source: FaultSource
  readonly retry: RetryRule
  /** Status of the local reply; 0 = none can be sent. */
  readonly status: number
  /** The client connection cannot be used after the reply. */
  readonly close: boolean
  readonly description: string
}

const all: Fault[] = []

function fault(code: string, status: number, retry: RetryRule, close: boolean, description: string): Fault {
  const entry: Fault = Object.freeze({ code, source: code.slice(0, code.indexOf(".")) as FaultSource, retry, status, close, description })
  all.push(entry)
  return entry
}

/** Faults by name. Add a line here and nowhere else. */
export const FAULT = {
  // client: the message or the connection of the client
  malformed: fault("client.malformed", 400, "never", true, "The request breaks the HTTP/1.1 grammar or could be read in two ways (RFC 9112)."),
  badTarget: fault("client.bad-target", 400, "never", true, "The request target is not one that this listener can take (RFC 9112 section 3.2)."),
  ambiguousPath: fault(
    "client.ambiguous-path",
    400,
    "never",
    false,
    "The path has encoded slashes, backslashes or control octets that servers read differently (RFC 3986 section 6.2.2).",
  ),
  badHost: fault("client.bad-host", 400, "never", true, "Host is missing, doubled or not a host (RFC 9112 section 3.2)."),
  versionUnsupported: fault("client.version-unsupported", 505, "never", true, "The HTTP version is not 1.0 or 1.1."),
  methodUnsupported: fault(
    "client.method-unsupported",
    501,
    "never",
    true,
    "The method, or the transfer coding, is not one that this proxy implements.",
  ),
  targetTooLong: fault("client.target-too-long", 414, "never", true, "The request target is over targetBytesMax."),
  fieldsTooLarge: fault("client.fields-too-large", 431, "never", true, "The header section is over headBytesMax or fieldsMax."),
  bodyTooLarge: fault("client.body-too-large", 413, "never", true, "The request body is over bodyBytesMax."),
  codingUnsupported: fault(
    "client.coding-unsupported",
    415,
    "never",
    false,
    "The request body is in a content coding that cannot be taken off here.",
  ),
  expectationFailed: fault("client.expectation-failed", 417, "never", true, "Expect names something other than 100-continue."),
  headTimeout: fault("client.head-timeout", 408, "never", true, "The head did not arrive whole within the head timeout."),
  bodyTimeout: fault(
    "client.body-timeout",
    408,
    "never",
    true,
    "The request body came more slowly than the body timeout or the minimum rate allows.",
  ),
  aborted: fault("client.aborted", 499, "never", true, "The client went away before it had its answer."),
  writeTimeout: fault("client.write-timeout", 0, "never", true, "The client took its answer more slowly than the write timeout allows."),
  badPreface: fault(
    "client.bad-preface",
    0,
    "never",
    true,
    "The PROXY protocol header is missing, malformed or from an address that is not trusted.",
  ),
  handshakeFailed: fault("client.handshake-failed", 0, "never", true, "The TLS handshake failed or did not finish in time."),
  typeUnsupported: fault("client.type-unsupported", 415, "never", false, "The content type or coding of the request is not one that is taken here."),
  lengthRequired: fault(
    "client.length-required",
    411,
    "never",
    true,
    "The application behind needs to know how long the body is, and more of it came than is held back (RFC 9110 section 15.5.12).",
  ),
  bodyBomb: fault("client.body-bomb", 413, "never", true, "The compressed body would grow beyond what is allowed."),
  tooEarly: fault(
    "client.too-early",
    425,
    "never",
    false,
    "The request came in 0-RTT data, which may be a replay, and would change something (RFC 8470).",
  ),
  socksMalformed: fault(
    "client.socks-malformed",
    400,
    "never",
    true,
    "The client does not speak SOCKS as it is written (RFC 1928, RFC 1929), or not a version that is taken here.",
  ),
  socksMethod: fault(
    "client.socks-method",
    407,
    "never",
    true,
    "The SOCKS client offers no way to say who it is that this listener takes (RFC 1928 section 3).",
  ),
  socksCommand: fault(
    "client.socks-command",
    501,
    "never",
    true,
    "The SOCKS command is none, or one that this listener does not offer (RFC 1928 section 6).",
  ),
  socksTargets: fault(
    "client.socks-targets",
    0,
    "never",
    false,
    "A datagram of a SOCKS client was for one more target than targetsMax allows, and is lost.",
  ),
  h2Protocol: fault("client.h2-protocol", 0, "never", true, "The client broke the rules of HTTP/2 for a whole connection (RFC 9113 section 5.4.1)."),
  flood: fault("client.flood", 0, "never", true, "The connection went over streamResetsMax or controlFramesMax, or its header section had no end."),
  certificateRequired: fault(
    "client.certificate-required",
    421,
    "never",
    true,
    "This name requires a client certificate that the connection does not have.",
  ),
  misdirected: fault(
    "client.misdirected",
    421,
    "never",
    true,
    "The connection's TLS name does not serve the host that was asked for (RFC 9110 section 15.5.20).",
  ),

  certificateRefused: fault(
    "client.certificate-refused",
    0,
    "never",
    true,
    "The client does not take the certificate that we made for a site: it does not trust our authority, or it knows the site's own.",
  ),
  exitUnknown: fault("client.exit-unknown", 400, "never", false, "The request names an exit that this proxy does not have."),

  // proxy: our own decision
  noRoute: fault("proxy.no-route", 404, "never", false, "No route matches the request."),
  forbidden: fault("proxy.forbidden", 403, "never", false, "A rule refuses the request."),
  authRequired: fault("proxy.auth-required", 407, "never", false, "The proxy wants to know who asks (RFC 9110 section 15.5.8)."),
  authRepeated: fault("proxy.auth-repeated", 407, "never", true, "Wrong credentials for the proxy came too often on one connection."),
  loginRequired: fault("proxy.login-required", 401, "never", false, "The site wants to know who asks (RFC 9110 section 15.5.2)."),
  loginRepeated: fault("proxy.login-repeated", 401, "never", true, "Wrong credentials for the site came too often on one connection."),
  authBusy: fault("proxy.auth-busy", 503, "never", false, "Too many passwords wait to be checked."),
  authLimited: fault("proxy.auth-limited", 429, "never", false, "Wrong credentials for the proxy came too often from one client."),
  portForbidden: fault("proxy.port-forbidden", 403, "never", false, "The port is not in the listener's list for this kind of request."),
  addressForbidden: fault("proxy.address-forbidden", 403, "never", false, "The address, or what the name resolves to, is closed to forward clients."),
  notForward: fault(
    "proxy.not-forward",
    400,
    "never",
    true,
    "A forward proxy wants the whole URL in the request, or CONNECT; this request has neither (RFC 9112 section 3.2).",
  ),
  methodForbidden: fault(
    "proxy.method-forbidden",
    405,
    "never",
    false,
    "The method is not allowed: TRACE anywhere, CONNECT on a listener that is no forward proxy, anything but GET and HEAD for files.",
  ),
  standInUnknown: fault(
    "proxy.stand-in-unknown",
    503,
    "never",
    true,
    "The address that the client called stood for a name that is not remembered any more.",
  ),
  tlsRefused: fault(
    "proxy.tls-refused",
    403,
    "never",
    true,
    "A rule of forward.inspect refuses the connection, or no certificate can be made for its name.",
  ),
  loop: fault("proxy.loop", 508, "never", false, "The request has passed this listener before (Via), or asks for one of our own ports."),
  connectionsMax: fault("proxy.connections-max", 503, "never", true, "The listener has reached connectionsMax or connectionsPerClientMax."),
  draining: fault("proxy.draining", 503, "never", true, "The proxy is stopping."),
  peerDrained: fault(
    "proxy.peer-drained",
    503,
    "if-idempotent",
    false,
    "The peer was to be drained, and the request was not over when the time for that was.",
  ),
  noPeer: fault("proxy.no-peer", 503, "never", false, "No peer of the cluster is available."),
  requestTimeout: fault("proxy.request-timeout", 504, "never", false, "The whole exchange took longer than the request timeout."),
  breakerOpen: fault("proxy.breaker-open", 503, "never", false, "The cluster's breaker is open: too many of its requests failed."),
  requestsMax: fault("proxy.requests-max", 503, "never", false, "The cluster or its peers have as many requests as they may, and no queue."),
  pendingMax: fault("proxy.pending-max", 503, "never", false, "Too many requests wait for a connection to the cluster or to the peer (pendingMax)."),
  queueFull: fault("proxy.queue-full", 503, "never", false, "The queue in front of the cluster is full."),
  queueTimeout: fault("proxy.queue-timeout", 503, "never", false, "The request waited as long as it may in the queue in front of the cluster."),
  overloaded: fault("proxy.overloaded", 503, "never", false, "The proxy has more to do than it can; less important requests are refused first."),
  retryBudget: fault("proxy.retry-budget", 503, "never", false, "A retry was due but the budget is spent."),
  internal: fault("proxy.internal", 500, "never", true, "An invariant was broken; this is a defect of the proxy."),
  notCached: fault(
    "proxy.not-cached",
    504,
    "never",
    false,
    "The client wants a stored answer only (only-if-cached), and there is none (RFC 9111 section 5.2.1.7).",
  ),
  rateLimited: fault("proxy.rate-limited", 429, "never", false, "The client asks more often than a rate limit allows (RFC 6585 section 4)."),
  concurrencyMax: fault("proxy.concurrency-max", 503, "never", false, "As many requests as the limit allows are under way already."),
  banned: fault("proxy.banned", 403, "never", false, "The client is banned for a time."),
  contentBlocked: fault("proxy.content-blocked", 403, "never", false, "What was sent or asked for was looked into and is not let through."),
  scanFailed: fault(
    "proxy.scan-failed",
    503,
    "never",
    false,
    "Who has to look at the content (ICAP) cannot be asked, or the content is too large to be looked at.",
  ),
  nameBlocked: fault("proxy.name-blocked", 403, "never", false, "The name is on a list of names that are looked up for nobody."),
  blocked: fault("proxy.blocked", 403, "never", false, "A rule of the policy blocks the request."),
  quotaUsed: fault("proxy.quota-used", 403, "never", false, "What the user may have in this period is used up."),
  maintenance: fault("proxy.maintenance", 503, "never", false, "The service is closed for maintenance."),
  tokenInvalid: fault("proxy.token-invalid", 401, "never", false, "The bearer token is missing, expired or not one that is believed (RFC 6750)."),
  scopeMissing: fault("proxy.scope-missing", 403, "never", false, "The token is good and does not allow this (RFC 6750 section 3.1)."),
  loginFailed: fault(
    "proxy.login-failed",
    403,
    "never",
    false,
    "The log-in was not begun here or took too long, or the provider or a rule refuses this user. Beginning anew may help.",
  ),
  authUnavailable: fault("proxy.auth-unavailable", 503, "never", false, "Who decides about access cannot be asked, so the request is refused."),
  injected: fault("proxy.injected", 503, "never", false, "A fault that was injected on purpose, for a drill."),
  fileCut: fault("proxy.file-cut", 0, "never", true, "A file became shorter, or could not be read any more, while it was sent."),
  fileMissing: fault("proxy.file-missing", 404, "never", false, "There is no such file."),

  // upstream: the peer or the way to it
  resolveFailed: fault("upstream.resolve-failed", 502, "always", false, "The name of the peer or origin does not resolve."),
  connectRefused: fault("upstream.connect-refused", 502, "always", false, "The peer refused the connection."),
  connectFailed: fault("upstream.connect-failed", 502, "always", false, "The peer cannot be reached."),
  connectTimeout: fault("upstream.connect-timeout", 504, "always", false, "The peer did not accept within the connect timeout."),
  tlsFailed: fault("upstream.tls-failed", 502, "always", false, "The TLS handshake with the peer failed or its certificate does not verify."),
  certificateExpired: fault("upstream.certificate-expired", 502, "always", false, "The server's certificate has expired or is not valid yet."),
  certificateName: fault(
    "upstream.certificate-name",
    502,
    "always",
    false,
    "The server's certificate is for another name than the one that was asked for.",
  ),
  certificateSelfSigned: fault(
    "upstream.certificate-self-signed",
    502,
    "always",
    false,
    "The server's certificate is signed by itself and by nobody who is trusted.",
  ),
  certificateUntrusted: fault(
    "upstream.certificate-untrusted",
    502,
    "always",
    false,
    "The server's certificate is signed by an authority that is not known here.",
  ),
  certificateRevoked: fault("upstream.certificate-revoked", 502, "always", false, "The server's certificate has been revoked."),
  tlsRejected: fault(
    "upstream.tls-rejected",
    502,
    "always",
    false,
    "The server broke off the TLS handshake: it takes nothing that we offer, or wants a certificate of the client.",
  ),
  certificateWanted: fault(
    "upstream.certificate-wanted",
    502,
    "never",
    false,
    "The server wants a certificate of the client, which only the client itself can show.",
  ),
  poolExhausted: fault("upstream.pool-exhausted", 503, "always", false, "The peer has reached its connectionsMax and nothing became free in time."),
  reusedClosed: fault("upstream.reused-closed", 502, "if-reused", false, "A kept-alive connection was closed by the peer before it answered."),
  closedEarly: fault("upstream.closed-early", 502, "if-idempotent", false, "The peer closed the connection before the head of its answer."),
  headTimeoutUpstream: fault("upstream.head-timeout", 504, "if-idempotent", false, "The peer sent no answer within the head timeout."),
  idleTimeout: fault("upstream.idle-timeout", 504, "never", true, "The peer stopped in the middle of its body for longer than the idle timeout."),
  malformedResponse: fault(
    "upstream.malformed-response",
    502,
    "never",
    false,
    "The answer breaks the HTTP/1.1 grammar or could be read in two ways.",
  ),
  responseBomb: fault(
    "upstream.body-bomb",
    502,
    "never",
    true,
    "The compressed answer inflates to more than inflatedBytesMax, or to more than ratioMax times its size.",
  ),
  responseTooLarge: fault("upstream.fields-too-large", 502, "never", false, "The header section of the answer is over headBytesMax."),
  streamRefused: fault(
    "upstream.stream-refused",
    502,
    "always",
    false,
    "The peer gave the request back without having looked at it (RFC 9113 section 8.7).",
  ),
  protocolUnavailable: fault(
    "upstream.protocol-unavailable",
    502,
    "never",
    false,
    "The peer does not speak the version of HTTP that its cluster is set to, or not what the request needs of it.",
  ),
  truncated: fault("upstream.truncated", 0, "never", true, "The peer closed in the middle of the body."),
  unexpectedUpgrade: fault("upstream.unexpected-upgrade", 502, "never", false, "The peer answered 101 though nobody asked."),
  retryStatus: fault("upstream.retry-status", 502, "if-idempotent", false, "The peer answered with a status that the retry rule repeats."),
  parentRefused: fault(
    "upstream.parent-refused",
    502,
    "always",
    false,
    "The parent proxy did not open a connection to the origin, or the way to the parent itself is closed.",
  ),
  parentGarbled: fault("upstream.parent-garbled", 502, "always", false, "What the parent proxy answers is not what its protocol has."),
  exitFamily: fault(
    "proxy.exit-family",
    502,
    "never",
    false,
    "The exit has no source address of the kind that the origin has (IPv4 or IPv6), so nothing goes there from another address.",
  ),
  parentAuth: fault(
    "upstream.parent-auth",
    502,
    "never",
    false,
    "The parent proxy wants credentials, and those that it was sent, if any, are not right.",
  ),

  // plugin: a filter's own failure
  threw: fault("plugin.threw", 500, "never", false, "A plug-in threw; in the access phase that refuses the request."),
} as const

/** Every fault, in the order of the table. */
export const faults: readonly Fault[] = all
