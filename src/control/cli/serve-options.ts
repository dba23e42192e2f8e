import { availableParallelism } from "node:os"
import { type Command, InvalidArgumentError } from "commander"

/** Flags of every command that starts the proxy. */
export interface ServeOptions {
  readonly workers?: number
  /** Address or "off". */
  readonly admin?: string
  readonly quiet?: boolean
}

/** `hasConfig`: what no flag says is in a config. */
export function addServeOptions(command: Command, hasConfig: boolean): Command {
  const [workers, admin] = hasConfig ? ["the config's; auto", "the config's"] : ["auto", "off"]
  return command
    .option("--workers <n>", `worker threads (default: ${workers} = ${availableParallelism()} here)`, readCount)
    .option("--admin <address>", `address of the admin API, or off (default: ${admin})`)
    .option("-q, --quiet", "no banner; only warnings and errors")
}

function readCount(text: string): number | undefined {
  if (text === "auto") return availableParallelism()
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (count < 1 || count > 128) throw new InvalidArgumentError("expected auto or a number from 1 to 128")
  return count
}

/** Collects a flag that may be given several times. */
export function several(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value]
}
