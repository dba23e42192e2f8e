import { parseConfig } from "../load.ts"

/** What is said of a config, a line each. */
export function said(text: string): string[] {
  const result = parseConfig(text, "/conf/b.yaml")
  return (result.ok ? result.warnings : result.problems).map(
    ({ severity, path, message }) => `${severity === "error" ? "" : "warning "}${path}: ${message}`,
  )
}
