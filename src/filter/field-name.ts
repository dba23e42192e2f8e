import { z } from "zod"
import { problemOfName } from "./headers/headers.ts"

/** What is wrong with the name of a field that a filter sets, copies or removes; "" when nothing is. */
export function problemOfField(name: string): string {
  return name.toLowerCase() === "host" ? "Host is what the filter headers sets (host), and no other one" : problemOfName(name)
}

/** The name of such a field. */
export const fieldNameSchema = z.string().superRefine((name, context) => {
  const problem = problemOfField(name)
  if (problem !== "") context.addIssue({ code: "custom", message: problem })
})
