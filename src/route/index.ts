export { compileRoutes, type RouteInput } from "./compile-routes.ts"
export { REFUSE_PATH, type RouteTable } from "./table.ts"
export { checkOrigin, checkTarget, type TargetKind } from "./destination/check-origin.ts"
export { compileOriginRules, type OriginRules } from "./destination/origin-rules.ts"
