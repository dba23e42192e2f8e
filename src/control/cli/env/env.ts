import type { Command } from "commander"
import { hostname } from "node:os"
import { type Config, loadConfig } from "../../../config/index.ts"
import { findConfig } from "../../config-source.ts"
import { knownWord } from "../known-word.ts"
import type { CommandContext } from "../program.ts"
import { UsageError } from "../usage-error.ts"
import { type ProxyAddress, readyLines, shells, variables } from "./ready-lines.ts"

const examples = `
Examples:
  eval "$(bothways env bothways.yaml)"                this shell's programs use the proxy
  eval "$(bothways env --unset)"                      and no longer
  bothways env --for git                              one program or system: ${Object.keys(readyLines).join(", ")}, all
  bothways env --host proxy.example --user ann --for all
`

interface EnvOptions {
  readonly listener?: string
  readonly host?: string
  readonly user?: string
  readonly shell: string
  readonly for?: string
  readonly unset?: boolean
}

/** `bothways env`: how clients are told of a forward listener. */
export function addEnv(program: Command, context: CommandContext): void {
  program
    .command("env")
    .description("print what makes clients use a forward listener: variables, or lines for a program or system")
    .argument("[config]", "config file (default: as for run)")
    .option("--listener <name>", "the listener (default: the first one that takes forward requests)")
    .option("--host <host>", "what clients call this machine (default: the address that is bound, or this machine's name)")
    .option("--user <name>", "the user's name, where the listener asks for one")
    .option("--shell <shell>", Object.keys(shells).join(", "), "sh")
    .option("--for <client>", `${Object.keys(readyLines).join(", ")}, or all`)
    .option("--unset", "print what takes the variables away again")
    .addHelpText("after", examples)
    .action(async (file: string | undefined, options: EnvOptions) => {
      const shell = shells[knownWord(options.shell, Object.keys(shells), "--shell")]!
      if (options.unset === true)
        return void context.out.write(
          variables(NOWHERE)
            .map(([name]) => `${shell.unset(name)}\n`)
            .join(""),
        )
      const at = addressOf(await configOf(file), options)
      if (options.for === undefined)
        return void context.out.write(
          variables(at)
            .map(([name, value]) => `${shell.set(name, value)}\n`)
            .join(""),
        )
      context.out.write(linesFor(options.for, at))
    })
}

const NOWHERE: ProxyAddress = { host: "", port: 0, secure: false, socks: false, login: null, pac: "", direct: [] }

function linesFor(client: string, at: ProxyAddress): string {
  if (client !== "all") return readyLines[knownWord(client, Object.keys(readyLines), "--for")]!(at)
  return Object.entries(readyLines)
    .map(([name, lines]) => `# ${name}\n${lines(at)}`)
    .join("\n")
}

async function configOf(file: string | undefined): Promise<Config> {
  const path = findConfig(file)
  const loaded = await loadConfig(path)
  if (loaded.ok) return loaded.config
  throw new UsageError(`${path} is not usable: \`bothways check\` says why`)
}

function addressOf({ listeners }: Config, options: EnvOptions): ProxyAddress {
  const forward = Object.entries(listeners).filter(([, listener]) => listener.forward !== null)
  const [name, listener] = forward.find(([one]) => options.listener === undefined || one === options.listener) ?? []
  if (name === undefined || listener === undefined) {
    const names = forward.map(([one]) => one).join(", ")
    throw new UsageError(names === "" ? "no listener of this config takes forward requests" : `there is no such forward listener; there is ${names}`)
  }
  const bind = listener.bind.find(one => !("path" in one))
  if (bind === undefined || "path" in bind) throw new UsageError(`listener ${name} is bound to a Unix socket only, which clients cannot be told`)
  const everywhere = bind.host === "" || bind.host === "0.0.0.0" || bind.host === "::"
  const { auth, pac, socks } = listener.forward as { auth: object | null; pac: { direct: string[] } | null; socks?: unknown }
  return {
    host: options.host ?? (everywhere ? hostname() : bind.host),
    port: bind.port,
    secure: listener.tls !== null,
    socks: Boolean(socks),
    login: auth === null ? null : { user: options.user ?? "USER", password: "PASSWORD" },
    pac: pac === null ? "" : "/proxy.pac",
    direct: pac?.direct ?? [],
  }
}
