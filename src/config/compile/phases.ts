/** One stage of a request's journey. */
export interface Phase {
  readonly name: string
  /** The room whose step it is; "filter" where filters of the config take part. */
  readonly room: string
  readonly reverse: string
  readonly forward: string
}

/**
 * The journey of a request, in order. Plans are put together from these names (`StepList`), explain prints them, docs/journey.md is made from them.
 * What a listener or a route does not use is not in its plan.
 */
export const phases = [
  {
    name: "gate",
    room: "config",
    reverse: "CONNECT and TRACE are refused; the scheme is the connection's",
    forward: "absolute-form and CONNECT are taken, TRACE is refused; Max-Forwards",
  },
  {
    name: "identify",
    room: "filter",
    reverse: "trusted hops name the client; credentials name the user",
    forward: "the same, with Proxy-Authorization",
  },
  { name: "access", room: "filter", reverse: "decides; fails closed", forward: "the same; 407 where the listener asks who it is" },
  { name: "route", room: "route", reverse: "first match wins: listener, host, path …", forward: "the same table" },
  { name: "split", room: "config", reverse: "which arm: as the request says, where the client has been, or by weight", forward: "the same" },
  {
    name: "fields",
    room: "filter",
    reverse: "X-Forwarded-*, Via, loop; on the way back Server, Location, Set-Cookie",
    forward: "privacy level, Via, loop; credentials of the proxy removed",
  },
  { name: "request", room: "filter", reverse: "headers and other request filters; the request timeout starts", forward: "the same" },
  {
    name: "cache",
    room: "cache",
    reverse: "hit, stale, wait for an equal request, or on to the peer; unsafe methods invalidate",
    forward: "the same; CONNECT passes",
  },
  { name: "inspect", room: "config", reverse: "not there", forward: "CONNECT: the client's first octets are read; tunnel, open or refuse" },
  { name: "answer", room: "config", reverse: "respond, redirect and files answer here", forward: "the same: a block page" },
  { name: "peer", room: "upstream", reverse: "the balancer picks a peer", forward: "target judged, name resolved; or a parent picked" },
  { name: "upstreamRequest", room: "filter", reverse: "before each attempt, which knows its peer", forward: "the same" },
  {
    name: "forward",
    room: "upstream",
    reverse: "kept-alive connection or dial; send",
    forward: "each address judged before it is dialled; CONNECT becomes a tunnel",
  },
  { name: "judge", room: "upstream", reverse: "what the answer says of the peer; retry on status", forward: "the same for parents" },
  { name: "upstreamResponse", room: "filter", reverse: "what comes of it is what the cache keeps", forward: "the same" },
  { name: "response", room: "filter", reverse: "runs on local replies too", forward: "the same" },
  { name: "deliver", room: "flow", reverse: "pump with back-pressure, or tunnel", forward: "the same" },
  { name: "log", room: "observe", reverse: "always: line, metrics, release", forward: "the same, octets of tunnels both ways" },
] as const satisfies readonly Phase[]

/** Part of the journey that a step belongs to. */
export type StagePhase = (typeof phases)[number]["name"]
