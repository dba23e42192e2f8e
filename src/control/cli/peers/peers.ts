import type { Command } from "commander"
import { parseDuration } from "../../../base/index.ts"
import { addAdminOptions } from "../admin-options.ts"
import { EXIT } from "../exit-codes.ts"
import type { CommandContext } from "../program.ts"
import { styleOf } from "../terminal.ts"
import { UsageError } from "../usage-error.ts"
import { askPeers, type PeerOptions, type PeersReply } from "./ask-peers.ts"
import { peersText } from "./peers-text.ts"
import { untilDrained } from "./until-drained.ts"

interface ChangeOptions extends PeerOptions {
  readonly weight?: string
  readonly backup?: boolean
  readonly timeout?: string
  readonly sessions?: boolean
  readonly drain?: string
  readonly wait?: boolean
  readonly force?: boolean
}

const help = `
ADDRESS is that of one peer (10.0.0.1:80, unix:/run/app.sock), or a name of the config with its port (app.example:80), which means all that it resolves to.
Changes are in force in all workers at once, and stay over a reload as long as the config's peers of that cluster stay the same. Over a restart they are kept
where the config names admin.peersFile.

Examples:
  bothways peers add shop 10.0.0.7:80 --weight 2
  bothways peers drain shop 10.0.0.3:80 --timeout 60s --wait && systemctl restart app
  bothways peers ready shop 10.0.0.3:80
  bothways peers remove shop 10.0.0.3:80 --drain 30s --wait
  bothways peers reset shop
`

/** `bothways peers …`: who takes requests, changed without a reload. */
export function addPeers(program: Command, context: CommandContext): void {
  const peers = program.command("peers").description("add, weigh, drain and remove peers of a running instance").addHelpText("after", help)
  const command = (usage: string, about: string): Command => addAdminOptions(peers.command(usage).description(about).option("--json", "as JSON"))
  const changing =
    (path: string, queryOf: (options: ChangeOptions) => Record<string, string | undefined> = () => ({})) =>
    (cluster: string, address: string, options: ChangeOptions): Promise<void> =>
      change({ path, query: { cluster, address, ...queryOf(options) } }, options, context)
  const target = "<cluster> <address>"

  command("list [cluster]", "the peers and how they stand").action(async (cluster: string | undefined, options: PeerOptions) => {
    const reply = await askPeers({ method: "GET", path: "/peers", query: { cluster } }, options, context)
    if (reply !== null) context.out.write(options.json === true ? reply.body : peersText(reply.value, styleOf(context.out, context.env)))
  })
  command(`add ${target}`, "one more peer; with slowStart it begins with a small share")
    .option("--weight <n>", "0 to 65535 (default: 1)")
    .option("--backup", "used only while no other peer is available")
    .action(changing("/peers/add", ({ weight, backup }) => ({ weight, backup: said(backup) })))
  command("weight <cluster> <address> <n>", "its share of the requests; 0 = nobody new, sessions go on").action(
    (cluster: string, address: string, weight: string, options: ChangeOptions) =>
      change({ path: "/peers/weight", query: { cluster, address, weight } }, options, context),
  )
  command(`drain ${target}`, "no new requests; what is under way may end")
    .option("--timeout <time>", "then the rest is cut, WebSockets too (default: 30s)")
    .option("--sessions", "who has a session there may come for the time of the drain")
    .option("--wait", "until nothing is under way there, or it was cut")
    .option("--force", "also the last peer that takes requests")
    .action(changing("/peers/drain", ({ timeout, sessions, force }) => ({ timeout: timed(timeout), sessions: said(sessions), force: said(force) })))
  command(`ready ${target}`, "ends a drain: the peer takes requests again").action(changing("/peers/ready"))
  command(`disable ${target}`, "drains without waiting: what is under way is cut")
    .option("--force", "also the last peer that takes requests")
    .action(changing("/peers/drain", ({ force }) => ({ timeout: "0s", force: said(force) })))
  command(`enable ${target}`, "the same as ready").action(changing("/peers/ready"))
  command(`remove ${target}`, "out of the cluster; what is under way there ends by itself, or with --drain within a time")
    .option("--drain <time>", "drain for this long at the most, then remove")
    .option("--sessions", "who has a session there may come for the time of the drain")
    .option("--wait", "until it is gone")
    .option("--force", "also the last peer that takes requests")
    .action(changing("/peers/remove", ({ drain, sessions, force }) => ({ drain: timed(drain), sessions: said(sessions), force: said(force) })))
  command("reset <cluster>", "back to what the config says").action((cluster: string, options: ChangeOptions) =>
    change({ path: "/peers/reset", query: { cluster } }, options, context),
  )
}

interface Change {
  readonly path: string
  readonly query: Readonly<Record<string, string | undefined>>
}

async function change({ path, query }: Change, options: ChangeOptions, context: CommandContext): Promise<void> {
  const reply = await askPeers({ method: "POST", path, query }, options, context)
  if (reply === null) return
  const { cluster, address } = query
  const last =
    options.wait === true
      ? await untilDrained({ cluster: cluster!, address: address!, removes: path === "/peers/remove" }, reply, options, context)
      : reply
  if (last === null) return
  context.out.write(options.json === true ? last.body : text(last.value, reply.value, context))
  context.exit(EXIT.ok)
}

function text(value: PeersReply, changed: PeersReply, context: CommandContext): string {
  return peersText({ ...value, kept: changed.kept }, styleOf(context.out, context.env))
}

function said(flag: boolean | undefined): string | undefined {
  return flag === true ? "true" : undefined
}

function timed(text: string | undefined): string | undefined {
  if (text !== undefined && parseDuration(text) === null) throw new UsageError(`expected a time such as 30s, got ${JSON.stringify(text)}`)
  return text
}
