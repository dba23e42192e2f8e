import type { Command } from "commander"
import { memorySource } from "../config-source.ts"
import type { CommandContext } from "./program.ts"
import { reverseConfig, reverseFlags, type ReverseOptions } from "./quick-config.ts"
import { serve } from "./serve.ts"
import { addServeOptions, several, type ServeOptions } from "./serve-options.ts"

const examples = `
Examples:
  bothways reverse --to http://127.0.0.1:3000
  bothways reverse --listen :80 --to http://10.0.0.1:3000 --to http://10.0.0.2:3000 --balance least-requests --health /healthz
  bothways reverse --listen :443 --cert site.pem --key site.key --to https://app.internal
`

export function addReverse(program: Command, context: CommandContext): void {
  const command = program
    .command("reverse")
    .description("a reverse proxy without a config file")
    .option("--listen <address>", 'where clients come in: "host:port", ":port", "unix:/path"; repeatable (default: ":8080")', several)
    .requiredOption("--to <target>", "http://host:port, https://host, host:port or unix:/path; repeatable", several)
    .option("--balance <balancer>", "how requests are spread over several targets (default: round-robin)")
    .option("--host <name>", "answer only for this host; repeatable", several)
    .option("--health <path>", "ask each target for this path every 5 s and leave out those that fail")
    .option("--cert <file>", "end TLS here with this certificate (PEM)")
    .option("--key <file>", "its private key (PEM)")
    .option("--insecure", "do not verify the certificates of https targets")
    .option("--log <format>", "access log on standard output: json, combined or none", "combined")
    .addHelpText("after", examples)
  addServeOptions(command, false).action(async (options: ReverseOptions & ServeOptions) => {
    const config = reverseConfig({ ...options, listen: options.listen ?? [":8080"] })
    context.exit(await serve(memorySource("bothways reverse", config, reverseFlags), { ...options, watch: false }, context))
  })
}
