export type { Wire, WireHandler } from "./wire.ts"
