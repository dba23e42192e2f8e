import { resolve } from "node:path"
import { loadConfig } from "../../../config/index.ts"
import { findConfig } from "../../config-source.ts"
import { UsageError } from "../usage-error.ts"

export interface CaPlace {
  readonly directory?: string
  readonly config?: string
}

/** Where certificates are kept: what was said, else what the config says, else `certificates` here. */
export async function directoryOf({ directory, config }: CaPlace): Promise<string> {
  if (directory !== undefined) return resolve(directory)
  const file = config ?? configHere()
  if (file === null) return resolve("certificates")
  const loaded = await loadConfig(file)
  if (loaded.ok) return loaded.config.acme.directory
  throw new UsageError(`${file} is not usable (\`bothways check\` says why), so acme.directory is not known; name it with --directory`)
}

function configHere(): string | null {
  try {
    return findConfig(undefined)
  } catch {
    return null
  }
}
