import type { Command } from "commander"
import { fileSource, findConfig } from "../config-source.ts"
import type { CommandContext } from "./program.ts"
import { serve } from "./serve.ts"
import { addServeOptions, type ServeOptions } from "./serve-options.ts"

interface RunOptions extends ServeOptions {
  readonly watch: boolean
  readonly pidFile?: string
}

export function addRun(program: Command, context: CommandContext): void {
  const command = program
    .command("run")
    .description("run the proxy with a config; it is loaded again when the file changes")
    .argument(
      "[config]",
      "YAML, JSON or TypeScript file, or a directory of them (default: bothways.yaml, bothways.yml, bothways.json or bothways.config.ts here)",
    )
    .option("--no-watch", "do not watch the file; SIGHUP and `bothways reload` still load it again")
    .option("--pid-file <file>", "write the number of the process that serves into this file; an upgrade rewrites it")
  addServeOptions(command, true).action(async (file: string | undefined, options: RunOptions) => {
    context.exit(await serve(fileSource(findConfig(file)), options, context))
  })
}
