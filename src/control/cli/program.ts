import { stripVTControlCharacters } from "node:util"
import { Command, CommanderError } from "commander"
import { addCa } from "./ca/ca.ts"
import { addBans } from "./bans/bans.ts"
import { addInspect } from "./inspect/inspect.ts"
import { addCache } from "./cache/cache.ts"
import { addCapture } from "./capture/capture.ts"
import { addCanary } from "./canary/canary.ts"
import { addCheck } from "./check.ts"
import { addDemo } from "./demo.ts"
import { addEnv } from "./env/env.ts"
import { addExplain } from "./explain.ts"
import { EXIT } from "./exit-codes.ts"
import { addForward } from "./forward.ts"
import { NoInstanceError } from "./admin-client.ts"
import { addLists } from "./lists/lists.ts"
import { addPeers } from "./peers/peers.ts"
import { addQuotas } from "./quotas/quotas.ts"
import { addReload } from "./reload.ts"
import { addReport } from "./report/report.ts"
import { addReverse } from "./reverse.ts"
import { addRun } from "./run.ts"
import { addSchema } from "./schema.ts"
import { addStatus } from "./status.ts"
import { styleOf, type Terminal, wantsColor } from "./terminal.ts"
import { addExit } from "./tunnel/exit.ts"
import { addTunnel } from "./tunnel/tunnel.ts"
import { UsageError } from "./usage-error.ts"
import { addUpgrade } from "./upgrade.ts"
import { addVersion } from "./version.ts"
import { Inheritance } from "../upgrade/inheritance.ts"
import { version } from "../version.ts"

/** What a command needs: the world, and where to leave its exit code. */
export interface CommandContext extends Terminal {
  /** Says how the process ends. The last word counts. */
  exit(code: number): void
  /** From the process whose place this one takes; null = there is none. */
  readonly inheritance?: Inheritance | null
}

const footer = `
Examples:
  bothways demo                                       three origins, both directions, three curl lines to try
  bothways reverse --to http://127.0.0.1:3000         a reverse proxy in one line
  bothways forward --listen 127.0.0.1:3128            a forward proxy in one line
  bothways tunnel --via https://exit.example …        what leaves this machine leaves it encrypted, to an exit
  bothways check bothways.yaml && bothways run bothways.yaml
  bothways explain bothways.yaml GET https://shop.example/api/1
  bothways peers drain shop 10.0.0.3:80 --wait        no new requests; come back when it has none left
  bothways canary start shop --to 5%                  a new version for a part of the clients
  bothways cache report                               what is not cached, and why
  bothways cache purge --url https://shop.example/
  bothways ca install                                 this machine trusts certificates of the local authority
  bothways upgrade                                    the version on disk takes over; no connection is dropped

Exit codes:
  0 done   1 failed   2 wrong config or command line   3 address taken   4 no running instance   130 interrupted twice

Signals of a running instance:
  SIGTERM, Ctrl-C  finish open exchanges (drain.timeout), then leave; a second Ctrl-C leaves at once
  SIGHUP           load the config again (run); finish and leave (reverse, forward, demo)
  SIGUSR1          open the log files again
  SIGUSR2          have the program that is on disk now take over, as \`bothways upgrade\` does

Environment:
  BOTHWAYS_ADMIN_TOKEN  token of the admin API      NO_COLOR  no colours
`

/** The command line. Returns the exit code; never throws. */
export async function main(args: readonly string[], terminal: Terminal): Promise<number> {
  const inheritance = Inheritance.take(terminal.env)
  if (inheritance === null) return runCommand(args, terminal, null)
  let said = ""
  const err: Terminal["err"] = {
    isTTY: terminal.err.isTTY === true,
    write: text => {
      said = (said + text).slice(-SAID_MAX)
      return terminal.err.write(text)
    },
  }
  const code = await runCommand(args, { ...terminal, err }, inheritance)
  inheritance.fail(code, stripVTControlCharacters(said).trim())
  return code
}

/** What a process says that does not come up goes to whoever asked for the upgrade. */
const SAID_MAX = 8192

async function runCommand(args: readonly string[], terminal: Terminal, inheritance: Inheritance | null): Promise<number> {
  let code: number = EXIT.ok
  const program = buildProgram({ ...terminal, inheritance, exit: value => void (code = value) })
  try {
    await program.parseAsync([...args], { from: "user" })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.badConfig
    const red = styleOf(terminal.err, terminal.env).red
    const known = error instanceof UsageError || error instanceof NoInstanceError
    terminal.err.write(`${red("bothways:")} ${known ? (error as Error).message : ((error as Error).stack ?? String(error))}\n`)
    return error instanceof UsageError ? EXIT.badConfig : error instanceof NoInstanceError ? EXIT.noInstance : EXIT.failed
  }
}

function buildProgram(context: CommandContext): Command {
  const program = new Command("bothways")
  program
    .description("One proxy for both directions: reverse in front of servers, forward in front of users.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .showHelpAfterError("(bothways --help lists the commands)")
    .addHelpText("after", footer)
    .configureOutput({
      writeOut: text => void context.out.write(text),
      writeErr: text => void context.err.write(text),
      outputError: (text, write) => write(text.replace(/^error:/, styleOf(context.err, context.env).red("bothways:"))),
      getOutHasColors: () => wantsColor(context.out, context.env),
      getErrHasColors: () => wantsColor(context.err, context.env),
    })
    .exitOverride()
  for (const add of [
    addRun,
    addReverse,
    addForward,
    addTunnel,
    addExit,
    addDemo,
    addCheck,
    addExplain,
    addEnv,
    addReport,
    addSchema,
    addReload,
    addStatus,
    addPeers,
    addCache,
    addBans,
    addInspect,
    addQuotas,
    addLists,
    addCa,
    addCanary,
    addCapture,
    addUpgrade,
    addVersion,
  ])
    add(program, context)
  return program
}
