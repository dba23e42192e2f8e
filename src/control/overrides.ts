import { parseAddress } from "../base/index.ts"
import type { Config } from "../config/index.ts"
import { UsageError } from "./cli/usage-error.ts"
import type { AdminSettings } from "./admin/admin-server.ts"

/** What the command line and the environment say in place of the config, at the start and at each reload. */
export interface Overrides {
  /** Address of the admin API, "off", or null = the config's. */
  readonly admin: string | null
  /** BOTHWAYS_ADMIN_TOKEN; "" = the config's. */
  readonly token: string
}

/** Throws UsageError when --admin is no address: a slip on the command line is told before anything starts. */
export function checkOverrides({ admin }: Overrides): void {
  if (admin === null || admin === "off") return
  try {
    parseAddress(admin, { use: "listen" })
  } catch (error) {
    throw new UsageError(`--admin: ${(error as Error).message}`)
  }
}

export function override(config: Config, { admin, token }: Overrides): Config {
  if (admin === "off") return { ...config, admin: null }
  const from = config.admin ?? { bind: { host: "127.0.0.1", port: 9900 }, token: null, hosts: [], peersFile: null }
  const changed = admin === null ? config.admin : { ...from, bind: parseAddress(admin, { use: "listen" }) }
  return changed === null ? config : { ...config, admin: token === "" ? changed : { ...changed, token } }
}

export function adminSettings(config: Config): AdminSettings | null {
  return config.admin === null ? null : { bind: config.admin.bind, token: config.admin.token ?? "", hosts: config.admin.hosts }
}
