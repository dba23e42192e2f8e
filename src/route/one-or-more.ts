import { z } from "zod"

export type OneOrMore<T> = T | readonly T[]

/** One value or a list of them, of which one must hold. `expected` says what a value looks like, for the error when it is something else. */
export function oneOrMore<T>(item: z.ZodType<T>, expected: string): z.ZodType<OneOrMore<T>> {
  const list = z.array(item).min(1, { error: `the list is empty; expected at least one ${expected}` })
  return z.union([item, list], { error: `expected ${expected}, or a list of them` })
}

/** Text that `trouble` finds nothing wrong with; it returns what is wrong and what was expected, or "". */
export function checkedText(trouble: (text: string) => string): z.ZodType<string> {
  return z.string().superRefine((text, context) => {
    const message = trouble(text)
    if (message !== "") context.addIssue({ code: "custom", message })
  })
}

export function listed<T extends string | number | boolean>(options: OneOrMore<T>): readonly T[] {
  return typeof options === "object" ? options : [options]
}

/** `a`, `a or b`, `a, b or c`, for explain. */
export function anyOf(values: readonly (string | number | boolean)[]): string {
  const words = values.map(String)
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words[words.length - 1]!}`
}
