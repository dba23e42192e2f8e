import type { Command } from "commander"
import { formatAddress } from "../../../base/index.ts"
import type { Config } from "../../../config/index.ts"
import type { Status } from "../../admin/status.ts"
import { leaksOf, type TunnelFacts } from "../../tunnel/leaks.ts"
import { surroundings } from "../../tunnel/surroundings.ts"
import { type AdminTarget, askAdmin, NoInstanceError } from "../admin-client.ts"
import { addAdminOptions, type AdminOptions, adminTarget } from "../admin-options.ts"
import { EXIT } from "../exit-codes.ts"
import type { CommandContext } from "../program.ts"
import { styleOf } from "../terminal.ts"
import { tunnelStatusOf, tunnelText } from "./tunnel-text.ts"

interface StatusOptions extends AdminOptions {
  readonly json?: boolean
}

/** `bothways tunnel status`. Ends with 1 when the exit is away. */
export function addTunnelStatus(tunnel: Command, context: CommandContext): void {
  const command = tunnel
    .command("status")
    .description("connected to which exit, since when, and what gets past the tunnel on this machine")
    .option("--json", "as JSON")
  addAdminOptions(command).action(async (_own: StatusOptions, self: Command) => {
    // --admin stands on the command above, too, under another name; here it is this one's own.
    const options = self.opts<StatusOptions>()
    const target = await adminTarget(options, context)
    const status = await ask<Status>(target, "/status")
    const config = await ask<Config>(target, "/config")
    const leaks = leaksOf(tunnelFacts(config), surroundings(context.env))
    const said = tunnelStatusOf(status, exitOf(config), leaks)
    if (said === null) throw new NoInstanceError(`the instance at ${target.address} is no tunnel: it has no listener "tunnel" and cluster "exit"`)
    context.out.write(options.json === true ? `${JSON.stringify(said, null, 2)}\n` : tunnelText(said, styleOf(context.out, context.env)))
    if (said.away !== "") context.exit(EXIT.failed)
  })
}

async function ask<T>(target: AdminTarget, path: string): Promise<T> {
  const reply = await askAdmin(target, "GET", path, 5000)
  if (reply.status === 401) throw new NoInstanceError(`${target.address} wants the admin token: set BOTHWAYS_ADMIN_TOKEN`)
  if (reply.status !== 200) throw new NoInstanceError(`${target.address} answered ${reply.status}; is this the status address of a tunnel?`)
  return JSON.parse(reply.body) as T
}

function tunnelFacts({ listeners, capture }: Config): TunnelFacts {
  const bind = listeners["tunnel"]?.bind[0]
  const captures = capture !== null && capture.machine !== null
  return { listens: bind === undefined ? "" : formatAddress(bind), captures, rejectsUdp: captures && capture.udp === "reject" }
}

function exitOf({ clusters }: Config): string {
  const exit = clusters["exit"]
  if (exit === undefined) return ""
  const peers = exit.peers.map(({ host, port }) => formatAddress({ host, port })).join(", ")
  const name = exit.tls?.serverName ?? ""
  return name === "" || peers.includes(name) ? peers : `${name} (${peers})`
}
