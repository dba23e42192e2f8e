import type { Command } from "commander"
import { version } from "../version.ts"
import type { CommandContext } from "./program.ts"

export function addVersion(program: Command, context: CommandContext): void {
  program
    .command("version")
    .description("print the version of this program and of its runtime")
    .action(() => {
      const runtime = process.versions["bun"] === undefined ? `node ${process.versions.node}` : `bun ${process.versions["bun"]}`
      context.out.write(`bothways ${version} (${runtime}, ${process.platform} ${process.arch})\n`)
    })
}
