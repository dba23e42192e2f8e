import type { Command } from "commander"
import { writeFileSync } from "node:fs"
import { X509Certificate } from "node:crypto"
import { FileError, hostNameFault } from "../../../base/index.ts"
import type { Authority } from "../../../net/index.ts"
import { authorityPaths, ensureLocalAuthority, readLocalAuthority } from "../../certificates/authority/local-authority.ts"
import type { CommandContext } from "../program.ts"
import { UsageError } from "../usage-error.ts"
import { type CaPlace, directoryOf } from "./directory.ts"
import { installAuthority, removeAuthority } from "./trust-store.ts"

const examples = `
Example: certificates on this machine that browsers and curl believe
  bothways ca create                                  once; \`issuers: [local]\` does it by itself, too
  sudo bothways ca install                            this machine trusts it from now on
  bothways run bothways.yaml                          with acme: { issuers: [local] } and tls: auto

  bothways ca export --out ca.pem                     for other machines, browsers of their own, curl --cacert
  bothways ca install --remove                        nobody trusts it any more
`

/** `bothways ca …`: the local authority. */
export function addCa(program: Command, context: CommandContext): void {
  const ca = program.command("ca").description("the local authority that signs certificates for development").addHelpText("after", examples)
  addCreate(ca, context)
  addExport(ca, context)
  addInstall(ca, context)
}

function subcommand(ca: Command, name: string, description: string): Command {
  return ca
    .command(name)
    .description(description)
    .option("--directory <directory>", "where certificates are kept (default: acme.directory of the config, or ./certificates)")
    .option("--config <file>", "take the directory from this config (default: as for run, where there is one)")
}

interface CreateOptions extends CaPlace {
  readonly name?: string
  readonly days: string
  readonly only?: string[]
}

function addCreate(ca: Command, context: CommandContext): void {
  subcommand(ca, "create", "make the authority, where there is none")
    .option("--name <name>", "its common name (default: Bothways local authority and this machine's name)")
    .option("--days <days>", "how long it is valid", "3650")
    .option("--only <domain...>", "the only domains that it may sign for, with all below them; loopback addresses always")
    .action(async (options: CreateOptions) => {
      const directory = await directoryOf(options)
      const days = Number(options.days)
      if (!Number.isInteger(days) || days < 1 || days > 36_500)
        throw new UsageError(`--days wants a whole number from 1 to 36500, got ${options.days}`)
      const { name, only } = options
      const wrong = only?.find(domain => domain.startsWith("*") || hostNameFault(domain) !== null)
      if (wrong !== undefined) throw new UsageError(`--only wants domains such as home.example, got ${wrong}`)
      if (name !== undefined && (name === "" || name.length > 64)) throw new UsageError("--name wants 1 to 64 characters")
      const wanted = {
        days,
        ...(name === undefined ? {} : { name }),
        ...(only === undefined ? {} : { domains: only.map(domain => domain.toLowerCase()) }),
      }
      const { authority, made } = usable(() => ensureLocalAuthority(directory, wanted))
      const { cert } = authorityPaths(directory)
      context.out.write(`${made ? "made" : "there is one already:"} ${described(authority)}\n${cert}\n`)
    })
}

function addExport(ca: Command, context: CommandContext): void {
  subcommand(ca, "export", "print its certificate; never its key")
    .option("--out <file>", "write it there")
    .action(async (options: CaPlace & { out?: string }) => {
      const authority = existing(await directoryOf(options))
      if (options.out === undefined) context.out.write(authority.cert)
      else writeFileSync(options.out, authority.cert)
    })
}

function addInstall(ca: Command, context: CommandContext): void {
  subcommand(ca, "install", "have this machine trust it: Debian's and Fedora's system store (needs root)")
    .option("--remove", "the reverse")
    .option("--into <directory>", "where the system looks for authorities of its operator (default: what this system has)")
    .action(async (options: CaPlace & { remove?: boolean; into?: string }) => {
      const authority = existing(await directoryOf(options))
      const store = { pem: authority.cert, into: options.into ?? null, env: context.env }
      const file = options.remove === true ? removeAuthority(store) : installAuthority(store)
      context.out.write(
        options.remove === true
          ? `removed ${file}\n`
          : `${file}: this machine trusts ${described(authority)}\nBrowsers with a store of their own (Firefox, Chromium) have to be told by themselves.\n`,
      )
    })
}

function existing(directory: string): Authority {
  const authority = usable(() => readLocalAuthority(directory))
  if (authority === null) throw new UsageError(`there is no local authority in ${directory}: \`bothways ca create\` makes one`)
  return authority
}

function usable<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw error instanceof FileError || (error as NodeJS.ErrnoException).code !== undefined ? new UsageError((error as Error).message) : error
  }
}

function described({ cert, validTo }: Authority): string {
  const { subject, fingerprint256 } = new X509Certificate(cert)
  return `${subject.replace(/^CN=/, "")}, until ${new Date(validTo).toISOString().slice(0, 10)}, SHA-256 ${fingerprint256}`
}
