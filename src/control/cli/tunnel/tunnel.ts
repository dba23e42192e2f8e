import type { Command } from "commander"
import { memorySource } from "../../config-source.ts"
import { adminDefault } from "../admin-options.ts"
import type { CommandContext } from "../program.ts"
import { serve } from "../serve.ts"
import { several } from "../serve-options.ts"
import type { Instance } from "../../instance.ts"
import { UsageError } from "../usage-error.ts"
import { readExitAddress } from "./exit-address.ts"
import { resolveExit } from "../../tunnel/resolve-exit.ts"
import { firstWord } from "./first-word.ts"
import { readToken } from "./read-token.ts"
import { addTunnelStatus } from "./tunnel-status.ts"
import { tunnelConfig, tunnelFlags, tunnelMark, type TunnelOptions } from "./tunnel-config.ts"

const examples = `
Examples:
  bothways tunnel --via https://exit.example --token-file token
  bothways tunnel --via https://203.0.113.7:8443 --server-name exit.example --ca exit-ca.pem --token-file token
  https_proxy=http://127.0.0.1:1080 http_proxy=http://127.0.0.1:1080 curl https://example.org/
  curl -x socks5h://127.0.0.1:1080 https://example.org/
  bothways tunnel status

Programs speak HTTP or SOCKS to --listen. Everything goes through one encrypted connection to the exit, names included: this machine looks none of them up.
While the exit is away requests wait for --wait and then fail; nothing goes out in another way. The exit: \`bothways exit --help\`.
`

interface TunnelCommandOptions extends Omit<TunnelOptions, "listen" | "token" | "addresses"> {
  readonly listen?: readonly string[]
  readonly tokenFile?: string
  readonly statusBind: string
  readonly quiet?: boolean
}

/** `bothways tunnel`: the encrypted way in, on the user's machine. */
export function addTunnel(program: Command, context: CommandContext): void {
  const command = program
    .command("tunnel")
    .description("an HTTP and SOCKS proxy here whose requests all go through one encrypted connection to an exit")
    .option("--via <url>", "the exit: https://exit.example or https://203.0.113.7:8443 (needed)")
    .option("--listen <address>", 'where programs come in, by HTTP or SOCKS; repeatable (default: "127.0.0.1:1080")', several)
    .option("--token-file <file>", "who we are: file with a token")
    .option("--user <name>", "who we are: a user, with --password-file")
    .option("--password-file <file>", "file with the user's password in its first line")
    .option("--cert <file>", "who we are: a certificate, with --key")
    .option("--key <file>", "the certificate's private key")
    .option("--ca <file>", "authorities that are believed about the exit (default: the system's)")
    .option("--server-name <name>", "the exit's name in its certificate (default: the name in --via)")
    .option("--http3", "over QUIC instead of TCP")
    .option("--padding", "hide sizes: pad what is sent (the exit has its own --padding)")
    .option("--everything", "capture what all programs of this machine open, and their queries for names (nftables; root)")
    .option("--kill-switch", "stays and refuses even when the exit does not take us; with --everything also when this program dies")
    .option("--wait <time>", "how long requests wait for an exit that is away", "10s")
    .option("--status-bind <address>", "where `bothways tunnel status` asks, or off", adminDefault)
    .option("--log <format>", "access log on standard output: json, combined or none", "none")
    .option("-q, --quiet", "no banner; only warnings and errors")
    .addHelpText("after", examples)
    .action(async (options: TunnelCommandOptions) => {
      if (options.via === undefined) throw new UsageError("--via: name the exit, such as https://exit.example")
      context.exit(await runTunnel(options, context))
    })
  addTunnelStatus(command, context)
}

async function runTunnel(options: TunnelCommandOptions, context: CommandContext): Promise<number> {
  const token = options.tokenFile === undefined ? undefined : readToken(options.tokenFile)
  const listen = options.listen ?? ["127.0.0.1:1080"]
  const addresses = options.everything === true ? await addressesOf(options.via) : null
  const config = tunnelConfig({ ...options, listen, addresses, ...(token === undefined ? {} : { token }) })
  const host = options.serverName ?? readExitAddress(options.via).host
  const started = (instance: Instance) => void firstWord(instance, host, options.killSwitch === true)
  // One worker: each has connections of its own, and there is to be one.
  const settings = { workers: 1, admin: options.statusBind, quiet: options.quiet === true, watch: false, started }
  return serve(memorySource("bothways tunnel", config, tunnelFlags), settings, context)
}

/** Before its queries are captured like everybody's. */
async function addressesOf(via: string): Promise<readonly string[]> {
  const { host } = readExitAddress(via)
  try {
    return await resolveExit(host, tunnelMark)
  } catch (error) {
    throw new UsageError(`--via: ${(error as Error).message}`)
  }
}
