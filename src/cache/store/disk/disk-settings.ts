import { isAbsolute, resolve } from "node:path"
import type { DiskOptions, DiskSettings } from "./disk-contract.ts"
import { UNIT } from "./file-layout.ts"

const ENTRIES_MAX = 1_048_576
const BYTES_PER_ENTRY = 8192
/** Less is no cache. */
const BYTES_MIN = 16 * UNIT

/** The options with their defaults. Throws, in the words of the options, what makes no sense. */
export function diskSettings(options: DiskOptions): DiskSettings {
  const { path, bytes } = options
  if (path === "") throw new RangeError("path is empty")
  const settings: DiskSettings = {
    path: isAbsolute(path) ? path : resolve(path),
    bytes: whole("bytes", bytes, BYTES_MIN),
    keySeed: options.keySeed,
    entriesMax: whole("entriesMax", options.entriesMax ?? Math.min(ENTRIES_MAX, Math.ceil(bytes / BYTES_PER_ENTRY)), 1),
    entryBytesMax: whole("entryBytesMax", options.entryBytesMax ?? Math.floor(bytes / 4), UNIT),
    headBytesMax: whole("headBytesMax", options.headBytesMax ?? 262_144, 1),
    writersMax: whole("writersMax", options.writersMax ?? 64, 1),
    bytesWaitingMax: whole("bytesWaitingMax", options.bytesWaitingMax ?? 16_777_216, UNIT),
    readersMax: whole("readersMax", options.readersMax ?? 1024, 1),
    workersMax: whole("workersMax", options.workersMax ?? 64, 1),
    retryMs: whole("retryMs", options.retryMs ?? 5000, 1),
    scanPauseMs: whole("scanPauseMs", options.scanPauseMs ?? 10, 0),
  }
  return settings
}

function whole(name: string, value: number, min: number): number {
  if (!Number.isSafeInteger(value) || value < min) throw new RangeError(`${name} is ${value}; expected a whole number of at least ${min}`)
  return value
}
