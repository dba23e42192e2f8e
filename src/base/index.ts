export { AssertionError, assert } from "./assert.ts"
export { FAULT, type Fault, type FaultSource, faults, type RetryRule } from "./fault.ts"
