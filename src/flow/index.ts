export { BODY_CHUNKED, BODY_CLOSE, BODY_LENGTH, BODY_NONE, BODY_TUNNEL, type BodyKind, Exchange, type ListenerInfo, type Plan, type RouteInfo, type Step } from "./exchange.ts"
export type { Downstream, TunnelEnd, TunnelReceiver, Upstream } from "./sides.ts"
export { ANSWER, DONE, FAULT_VERDICT, NEXT, type Verdict, WAIT } from "./verdict.ts"
