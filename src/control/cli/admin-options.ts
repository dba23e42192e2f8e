import { formatAddress } from "../../base/index.ts"
import type { Command } from "commander"
import { loadConfig } from "../../config/index.ts"
import type { AdminTarget } from "./admin-client.ts"
import type { CommandContext } from "./program.ts"
import { UsageError } from "./usage-error.ts"

/** Flags of every command that talks to a running instance. */
export interface AdminOptions {
  readonly admin?: string
  readonly config?: string
}

export const adminDefault = "127.0.0.1:9900"

export function addAdminOptions(command: Command): Command {
  return command
    .option("--admin <address>", `address of the instance's admin API (default: the config's, or ${adminDefault})`)
    .option("--config <file>", "take address and token from this config")
}

/** Where the instance is: --admin first, then the config's, then the default. The token: BOTHWAYS_ADMIN_TOKEN first, then the config's. */
export async function adminTarget(options: AdminOptions, context: CommandContext): Promise<AdminTarget> {
  const known = options.config === undefined ? null : await targetOfConfig(options.config, options.admin)
  const token = context.env["BOTHWAYS_ADMIN_TOKEN"] ?? ""
  return { address: options.admin ?? known?.address ?? adminDefault, token: token !== "" ? token : (known?.token ?? "") }
}

async function targetOfConfig(file: string, address: string | undefined): Promise<AdminTarget> {
  const loaded = await loadConfig(file)
  const admin = loaded.ok ? loaded.config.admin : null
  if (admin !== null) return { address: formatAddress(admin.bind), token: admin.token ?? "" }
  if (address !== undefined) return { address, token: "" }
  if (loaded.ok) throw new UsageError(`the admin API is off in ${file}; name the instance's address with --admin`)
  throw new UsageError(`${file} is not usable (\`bothways check\` says why), so its admin address is not known; name it with --admin`)
}
