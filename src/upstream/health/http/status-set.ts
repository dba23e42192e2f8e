import { z } from "zod"

const pattern = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/

/** A status such as 204, or a range such as "200-399". */
const entry = z.union([z.int(), z.string()]).transform((input, context): readonly [number, number] => {
  const found = pattern.exec(String(input))
  const range = found === null ? null : ([Number(found[1]), Number(found[2] ?? found[1])] as const)
  if (range !== null && range[0] <= range[1]) return range
  context.issues.push({ code: "custom", input, message: `expected a status such as 200 or a range such as 200-399, got ${JSON.stringify(input)}` })
  return z.NEVER
})

/** Ranges of statuses, both ends included. */
export type StatusSet = readonly (readonly [number, number])[]

export const statusSet = z.array(entry).min(1)

export function hasStatus(set: StatusSet, status: number): boolean {
  return set.some(([from, to]) => status >= from && status <= to)
}

export function formatStatusSet(set: StatusSet): string {
  return set.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(", ")
}
