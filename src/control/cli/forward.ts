import type { Command } from "commander"
import { memorySource } from "../config-source.ts"
import type { CommandContext } from "./program.ts"
import { forwardConfig, forwardFlags, type ForwardOptions } from "./quick-config.ts"
import { serve } from "./serve.ts"
import { addServeOptions, several, type ServeOptions } from "./serve-options.ts"

const examples = `
Examples:
  bothways forward
  bothways forward --listen 10.0.0.1:3128 --htpasswd users
  bothways forward --allow-private --connect-ports 443,8443

Without --htpasswd whoever reaches the address may use the proxy: keep it on loopback or behind a firewall.
`

export function addForward(program: Command, context: CommandContext): void {
  const command = program
    .command("forward")
    .description("a forward proxy without a config file")
    .option("--listen <address>", 'where clients come in; repeatable (default: "127.0.0.1:3128")', several)
    .option("--allow-private", "let clients reach loopback, private and link-local addresses")
    .option("--htpasswd <file>", "ask for user and password, from this file of user:hash lines")
    .option("--connect-ports <ports>", "ports that CONNECT may name, such as 443,8443 or 1-65535 (default: 443)")
    .option("--privacy <level>", "transparent, standard, anonymous or high (default: standard)")
    .option("--log <format>", "access log on standard output: json, combined or none", "combined")
    .addHelpText("after", examples)
  addServeOptions(command, false).action(async (options: ForwardOptions & ServeOptions) => {
    const config = forwardConfig({ ...options, listen: options.listen ?? ["127.0.0.1:3128"] })
    context.exit(await serve(memorySource("bothways forward", config, forwardFlags), { ...options, watch: false }, context))
  })
}
