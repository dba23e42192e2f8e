/** `BOTHWAYS_LONG=1` runs scenarios at their full size; without it each is cut down to a few seconds. */
export const long = process.env.BOTHWAYS_LONG === "1"

/** The size of a scenario: what every run can afford, or all of it. */
export function scaled<T>(short: T, full: T): T {
  return long ? full : short
}

/** Milliseconds for a test whose full size takes `fullMs`. */
export function scaledTimeout(fullMs: number): number {
  return long ? fullMs : 20_000
}

/** Says what a full run measured. */
export function figure(what: string, value: string | number): void {
  if (long) console.log(`  ${what}: ${value}`)
}
