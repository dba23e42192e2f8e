import { type Config, ListError, loadListNow } from "../../config/index.ts"
import type { ReloadProblem } from "../protocol.ts"

/** Where in the config the trouble with a list is: `lists.ads.files[0]`. */
export function listPlace(name: string, { at }: ListError): string {
  return at.reduce<string>((path, key) => (typeof key === "number" ? `${path}[${key}]` : `${path}.${key}`), `lists.${name}`)
}

/** Reads all lists of a config at once and says what is wrong with them. */
export function listProblems({ lists }: Pick<Config, "lists">): ReloadProblem[] {
  return Object.entries(lists).flatMap(([name, config]) => {
    try {
      loadListNow(config)
      return []
    } catch (error) {
      if (!(error instanceof ListError)) throw error
      return [{ where: listPlace(name, error), message: error.message, expected: "" }]
    }
  })
}
