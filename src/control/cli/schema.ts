import type { Command } from "commander"
import { configJsonSchema } from "../../config/index.ts"
import type { CommandContext } from "./program.ts"

const examples = `
Example, for editors with a YAML language server:
  bothways schema > bothways.schema.json
  and in the first line of the config:  # yaml-language-server: $schema=./bothways.schema.json
`

export function addSchema(program: Command, context: CommandContext): void {
  program
    .command("schema")
    .description("print the JSON Schema of the config")
    .addHelpText("after", examples)
    .action(async () => void context.out.write(`${JSON.stringify(await configJsonSchema(), null, 2)}\n`))
}
