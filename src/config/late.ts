import type { Config } from "./schema.ts"
import type { ExplainOptions } from "./explain/explain.ts"
import type { Explanation } from "./explain/explanation.ts"
import type { ExplainRequest } from "./explain/request-text.ts"
import type { LoadResult } from "./load.ts"

// What reads, checks and explains is the control thread's. Every thread holds a copy of all that it imports, so workers, which get a config that was
// read, are spared some 5 MB each: these load it when it is asked for.

/** Reads, validates and checks a config file or a directory of fragments: see load.ts. */
export async function loadConfig(path: string): Promise<LoadResult> {
  return (await import("./load.ts")).loadConfig(path)
}

/** The same for a text, as YAML or JSON. Relative paths count from the directory of `fileName`. */
export async function parseConfig(text: string, fileName?: string): Promise<LoadResult> {
  return (await import("./load.ts")).parseConfig(text, fileName)
}

/** What becomes of a request and why: see explain/explain.ts. */
export async function explain(config: Config, request: ExplainRequest, options: ExplainOptions): Promise<Explanation> {
  return (await import("./explain/explain.ts")).explain(config, request, options)
}

/** The JSON Schema of configs, for editors. */
export async function configJsonSchema(): Promise<unknown> {
  return (await import("./json-schema.ts")).configJsonSchema()
}
