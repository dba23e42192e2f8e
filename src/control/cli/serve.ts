import { resolve } from "node:path"
import type { Config } from "../../config/index.ts"
import { formatAddress, log, setLogLevel } from "../../base/index.ts"
import type { ConfigSource } from "../config-source.ts"
import { type BootFailure, bootInstance, type Instance } from "../instance.ts"
import { describeProblem } from "../reload.ts"
import { handleSignals } from "../signals.ts"
import { version } from "../version.ts"
import { printProblems } from "./config-problems.ts"
import { PidFile } from "../upgrade/pid-file.ts"
import { noticeService } from "../upgrade/service-notice.ts"
import { EXIT } from "./exit-codes.ts"
import type { CommandContext } from "./program.ts"
import type { ServeOptions } from "./serve-options.ts"
import { styleOf, withProgress } from "./terminal.ts"

export interface ServeSettings extends ServeOptions {
  readonly watch: boolean
  /** Default: none. */
  readonly pidFile?: string
  /** Called when the instance serves, in place of the banner's last word. */
  readonly started?: (instance: Instance) => void
}

/** Starts an instance, ties the signals to it and waits for its end. Returns the exit code. */
export async function serve(source: ConfigSource, settings: ServeSettings, context: CommandContext): Promise<number> {
  if (settings.quiet === true) setLogLevel("warn")
  const admin = settings.admin
  const booting = bootInstance({
    source,
    watch: settings.watch,
    workers: settings.workers ?? null,
    admin: admin ?? null,
    token: context.env["BOTHWAYS_ADMIN_TOKEN"] ?? "",
    inheritance: context.inheritance ?? null,
  })
  // Who takes another's place says only what is wrong: it is told on.
  const booted = await (context.inheritance ? booting : withProgress(context, "starting", booting))
  if (!("instance" in booted)) return refuse(booted, source, context)
  const { instance } = booted
  printProblems(booted.warnings, flagsOf(source), context)
  if (settings.quiet !== true) banner(instance, source, context)
  settings.started?.(instance)
  const untie = handleSignals({
    drain: signal => {
      noticeService("STOPPING=1")
      void instance.drain(signal, null)
    },
    stop: () => instance.stop(EXIT.interrupted),
    // a command that built its config has nothing to load again: its terminal went away
    reload: () => void (source.path === null ? instance.drain("SIGHUP", null) : instance.reload("SIGHUP")),
    reopenLogs: () => instance.reopenLogs(),
    upgrade: () => void instance.upgrade("SIGUSR2"),
  })
  const unguard = keepAlive()
  const pidFile = await arrive(instance, settings, context)
  const code = await instance.ended
  pidFile?.remove()
  unguard()
  untie()
  return code
}

/** Tells everybody who waits for it that the proxy serves. When that fails, it ends. */
async function arrive(instance: Instance, { pidFile }: ServeSettings, context: CommandContext): Promise<PidFile | null> {
  try {
    await instance.untilServing()
    const written = pidFile === undefined ? null : new PidFile(resolve(pidFile))
    instance.takeOver()
    noticeService("READY=1")
    return written
  } catch (error) {
    context.err.write(`${styleOf(context.err, context.env).red("bothways:")} not started: ${(error as Error).message}\n`)
    instance.stop(EXIT.failed)
    return null
  }
}

/** A defect of the control thread, as in an admin handler, must not take down workers that serve. */
function keepAlive(): () => void {
  const told = (error: unknown) =>
    log.error("control", "an error that nobody caught; the workers serve on", {
      error: error instanceof Error ? (error.stack ?? error.message) : error,
    })
  process.on("uncaughtException", told)
  process.on("unhandledRejection", told)
  return () => {
    process.off("uncaughtException", told)
    process.off("unhandledRejection", told)
  }
}

function refuse(failure: BootFailure, source: ConfigSource, context: CommandContext): number {
  const red = styleOf(context.err, context.env).red
  if (failure.kind === "config") {
    printProblems(failure.problems, flagsOf(source), context)
    context.err.write(`${red("bothways:")} not started: ${source.name} is not usable\n`)
    return EXIT.badConfig
  }
  for (const problem of failure.problems) context.err.write(`${red("bothways:")} ${describeProblem(problem)}\n`)
  return failure.kind === "port" ? EXIT.portTaken : failure.kind === "refused" ? EXIT.badConfig : EXIT.failed
}

function flagsOf(source: ConfigSource): ConfigSource["flags"] | null {
  return source.path === null ? source.flags : null
}

function banner(instance: Instance, source: ConfigSource, context: CommandContext): void {
  const style = styleOf(context.err, context.env)
  const lines = [
    `${style.bold(`bothways ${version}`)} serves ${source.name} with ${instance.workerCount} ${instance.workerCount === 1 ? "worker" : "workers"}`,
  ]
  for (const [name, listener] of Object.entries(instance.config.listeners)) lines.push(`  ${name}: ${addresses(listener)}`)
  lines.push(instance.adminAddress === "" ? "  admin: off" : `  admin: ${instance.adminAddress}`)
  context.err.write(`${lines.join("\n")}\n`)
}

function addresses(listener: Config["listeners"][string]): string {
  const kind = [
    listener.tls === null ? "" : "TLS",
    listener.http3 === null ? "" : "HTTP/3",
    listener.dns !== null
      ? "DNS"
      : listener.forward === null
        ? "reverse"
        : listener.forward.transparent === null
          ? listener.forward.socks?.only
            ? "SOCKS"
            : "forward and reverse"
          : "captured clients",
  ]
    .filter(word => word !== "")
    .join(", ")
  return `${listener.bind.map(formatAddress).join(" ")} (${kind})`
}
