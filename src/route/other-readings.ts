import { assert } from "../base/index.ts"
import { rulePath, rulePathResult } from "../http/index.ts"

/**
 * The rule forms of a path for servers that decode encoded slashes, encoded backslashes or both before they split it; without the reading in
 * which they stay data. Dot segments cannot come into being: `rulePath` has refused paths with a dot segment beside an encoded slash.
 */
export function otherReadings(path: string): string[] {
  const slashes = path.replace(/%2f/gi, "/")
  const backslashes = path.replace(/%5c/gi, "/")
  const readings: string[] = []
  if (slashes !== path) readings.push(read(slashes))
  if (backslashes !== path) readings.push(read(backslashes))
  if (readings.length === 2) readings.push(read(slashes.replace(/%5c/gi, "/")))
  return readings
}

function read(path: string): string {
  const form = rulePath(path)
  assert(!rulePathResult.refused, "a path that was let through has no reading that is refused")
  return form
}
