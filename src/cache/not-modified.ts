// HOT
import { evaluateConditions, type Fields, NAME } from "../http/index.ts"
import type { StoredResponse } from "./stored.ts"

/** Whether a request is answered with 304 by what is stored (RFC 9111 section 4.3.2). */
export function isNotModified(request: Fields, stored: StoredResponse): boolean {
  const conditions = {
    ifNoneMatch: request.joined(NAME.ifNoneMatch),
    ifModifiedSince: request.joined(NAME.ifModifiedSince),
    ifMatch: "",
    ifUnmodifiedSince: "",
    ifRange: "",
    range: "",
  }
  return evaluateConditions(conditions, stored, stored.responseMs) === "not-modified"
}
