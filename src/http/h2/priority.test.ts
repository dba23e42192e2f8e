import { expect, test } from "bun:test"
import { priority, readPriority } from "./priority.ts"

test.each([
  ["u=0", 0, false],
  ["u=7, i", 7, true],
  ["i, u=1", 1, true],
  ["i=?1,u=2", 2, true],
  ["i=?0", 3, false],
  ["u=5;x=1, i;y", 5, true],
  ["u=1\t,\ti", 1, true],
  ["", 3, false],
  // Out of range, of another type, or another key that begins alike (RFC 9218 section 4).
  ["u=8", 3, false],
  ["u=10", 3, false],
  ["u=1.5", 3, false],
  ["u=-1", 3, false],
  ["u", 3, false],
  ["i=5", 3, false],
  ["i=?2", 3, false],
  ["ix, ux=1, inc=?1", 3, false],
])("%j is urgency %d, incremental: %p", (value, urgency, incremental) => {
  readPriority(value)
  expect({ ...priority }).toEqual({ urgency, incremental })
})
