import type { Command } from "commander"
import { memorySource } from "../../config-source.ts"
import type { CommandContext } from "../program.ts"
import { serve } from "../serve.ts"
import { addServeOptions, several, type ServeOptions } from "../serve-options.ts"
import { exitConfig, exitFlags, type ExitOptions, exitPortsDefault } from "./exit-config.ts"

const examples = `
Examples:
  printf 'ann:%s\\n' "$(openssl rand -hex 32)" > tokens && chmod 600 tokens
  bothways exit --cert exit.pem --key exit.key --token-file tokens
  bothways exit --listen :8443 --cert exit.pem --key exit.key --client-ca people-ca.pem
`

/** `bothways exit`: where tunnels end. */
export function addExit(program: Command, context: CommandContext): void {
  const command = program
    .command("exit")
    .description("the other end of `bothways tunnel`, where requests go out to the Internet")
    .requiredOption("--cert <file>", "the certificate with its chain")
    .requiredOption("--key <file>", "its private key")
    .option("--listen <address>", 'where tunnels come in; repeatable (default: ":443")', several)
    .option("--token-file <file>", "who may come: file of name:token lines, or name:{SHA256}hash")
    .option("--client-ca <file>", "who may come: clients with a certificate of these authorities")
    .option("--htpasswd <file>", "who may come: file of user:hash lines")
    .option("--connect-ports <ports>", "ports that may be asked for", exitPortsDefault)
    .option("--allow-private", "let clients reach loopback, private and link-local addresses of this machine")
    .option("--http3", "also over QUIC, on the same port of UDP")
    .option("--padding", "hide sizes: pad what is sent")
    .option("--log <format>", "access log on standard output: json, combined or none", "none")
    .addHelpText("after", examples)
  addServeOptions(command, false).action(async (options: ExitOptions & ServeOptions) => {
    const config = exitConfig({ ...options, listen: options.listen ?? [":443"] })
    context.exit(await serve(memorySource("bothways exit", config, exitFlags), { ...options, watch: false }, context))
  })
}
