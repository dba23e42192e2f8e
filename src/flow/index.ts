export { Exchange, type ListenerInfo, type Plan, type RouteInfo, type Step } from "./exchange.ts"
export { ANSWER, DONE, FAULT_VERDICT, NEXT, type Verdict, WAIT } from "./verdict.ts"
