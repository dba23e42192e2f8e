import { FAULT } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, type Verdict } from "../../flow/index.ts"

/** Nothing that may be served has this name. */
export function missing(x: Exchange): Verdict {
  x.fault = FAULT.fileMissing
  return FAULT_VERDICT
}
