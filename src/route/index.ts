export { compileRoutes, type RouteInput } from "./compile-routes.ts"
export { NO_ROUTE, REFUSE_PATH, type RouteTable } from "./table.ts"
export type { Visit } from "./trace.ts"
export { checkOrigin, checkTarget } from "./destination/check-origin.ts"
export {
  compileOriginRules,
  type OriginOptions,
  type OriginRules,
  type OwnListeners,
  parsePortList,
  type PortEntry,
} from "./destination/origin-rules.ts"
