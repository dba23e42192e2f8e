export { type OwnWay, pacGate, type PacOptions, pacOptions } from "./pac/pac.ts"
