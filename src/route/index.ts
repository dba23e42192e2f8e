export { compileRoutes, type RouteInput } from "./compile-routes.ts"
export { NO_ROUTE, REFUSE_PATH, type RouteTable } from "./table.ts"
export type { Visit } from "./trace.ts"
