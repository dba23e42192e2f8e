export { AssertionError, assert } from "./assert.ts"
export { FAULT, type Fault, type FaultSource, faults, type RetryRule } from "./fault.ts"
export { duration, durationMsMax, formatDuration, formatSize, parseDuration, parseRatio, parseSize, type QuantityBounds, ratio, size } from "./quantity.ts"
