import type { Finding } from "../problem.ts"
import { placeFindings } from "../shared-filters.ts"
import { checkCaches } from "./caches.ts"
import { checkCertificates } from "./certificates.ts"
import { checkCircles } from "./circles.ts"
import { checkExits } from "./exits.ts"
import { checkFiles } from "./files.ts"
import { checkForward } from "./forward.ts"
import { checkListeners } from "./listeners.ts"
import { checkParents } from "./parents.ts"
import { checkLists } from "./lists.ts"
import { checkRaw } from "./raw.ts"
import { checkReach } from "./reach.ts"
import { checkReadings } from "./readings.ts"
import { checkResilience } from "./resilience.ts"
import { checkReferences } from "./references.ts"
import { checkSplits } from "./splits.ts"
import type { Check, Subject } from "./subject.ts"
import { checkTransparent } from "./transparent.ts"
import { checkValues } from "./values.ts"
import { checkVersions } from "./versions.ts"

const checks: readonly Check[] = [
  checkListeners,
  checkReferences,
  checkReadings,
  checkLists,
  checkForward,
  checkParents,
  checkExits,
  checkReach,
  checkCircles,
  checkValues,
  checkResilience,
  checkCaches,
  checkVersions,
  checkRaw,
  checkCertificates,
  checkFiles,
  checkSplits,
  checkTransparent,
]

/** Everything that the schema cannot see because it lies between two places of the config, or outside of it. */
export function checkConfig(subject: Subject): Finding[] {
  return placeFindings(
    checks.flatMap(check => check(subject)),
    subject.config.filters.length,
  )
}
