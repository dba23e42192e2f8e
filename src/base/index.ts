export { AssertionError, assert } from "./assert.ts"
export { FAULT, type Fault, faults, type RetryRule } from "./fault.ts"
export { duration, formatDuration, formatSize, parseDuration, parseRatio, ratio, size } from "./quantity.ts"
export { type Clock, FakeClock, systemClock } from "./clock.ts"
export { TickClock } from "./tick-clock.ts"
export { hashString, mix32, Random } from "./hash.ts"
export { Timer, type TimerOwner, TimerWheel } from "./timer-wheel.ts"
export { startWheel } from "./start-wheel.ts"
export { parseTemplate, TemplateError, type TemplatePart, type TemplateWords } from "./template.ts"
export {
  type Address,
  AddressError,
  formatAddress,
  formatHostPort,
  hostNameFault,
  parseAddress,
  type UnixAddress,
} from "./address.ts"
export { FileError, fileTrouble, readDataFile } from "./data-file.ts"
export { formatIp, ipFamily, isDeceptiveHost, normaliseIp, writeIp } from "./ip-text.ts"
export { nearest } from "./nearest.ts"
export { type Period, periodWords, ZoneTime, zoneTrouble } from "./zone-time.ts"
export { PortSet } from "./port-set.ts"
export { CidrSet } from "./cidr.ts"
export { PRIVATE_RANGES, privateRangeTable } from "./private-ranges.ts"
export { type Log, log, logOf, type LogRecord, setLogLevel, setLogSink, writeLog } from "./log.ts"
export { count, field, listOf, maybe, nameSchema, off, overridesOf, pathSchema } from "./section.ts"
export { KeyHash } from "./keyed-table/key-hash.ts"
export { KeyedTable, KIND_BANS, KIND_METER, KIND_QUOTAS, KIND_TALLY, TALLY_AT, type TableShape, tallyWords } from "./keyed-table/keyed-table.ts"
export { SharedTime } from "./keyed-table/shared-time.ts"
export { patternTrouble, TextPattern } from "./text-pattern.ts"
export { type RequiredLiteral, requiredLiteral } from "./required-literal.ts"
export { bareName, isSecretName } from "./secret-names.ts"
export { isBundled, moduleUrl, packageUrl } from "./module-url.ts"
export { LogLimit } from "./log-limit.ts"
export { EXCEPT_BELOW, EXCEPT_SELF, FIRM_BELOW, FIRM_SELF, NAME_BELOW, NAME_SELF, NAME_TREE, NameSet } from "./name-set/name-set.ts"
export { NameSetBuilder } from "./name-set/name-set-builder.ts"
export { siteOf } from "./site-of.ts"
