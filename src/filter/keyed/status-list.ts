import { z } from "zod"
import { count } from "../../base/index.ts"

/** A status, or all of a class: `4xx`. */
export const statusSchema = z.union([count(100, 599), z.enum(["1xx", "2xx", "3xx", "4xx", "5xx"])], {
  error: "expected a status such as 401, or a class such as 4xx",
})

export type StatusWord = z.output<typeof statusSchema>

/** Whether a status is in the list. */
export function statusTest(list: readonly StatusWord[]): (status: number) => boolean {
  const holds = new Uint8Array(600)
  for (const word of list) {
    if (typeof word === "number") holds[word] = 1
    else holds.fill(1, Number(word[0]) * 100, Number(word[0]) * 100 + 100)
  }
  return status => holds[status] === 1
}
