import { isMainThread } from "node:worker_threads"
import type { Entry } from "ldapts"
import { log } from "../../../base/index.ts"
import type { FilterDeps } from "../../../plugin/index.ts"
import {
  BUSY,
  isIn,
  isName,
  type Outcome,
  type PasswordClaim,
  type PasswordSource,
  type Pending,
  pendingOf,
  type Told,
  UNAVAILABLE,
  UNKNOWN,
  unknownUntil,
  wrongUntil,
} from "../outcome.ts"
import type { Directory } from "./directory.ts"
import type { DirectoryLink } from "./directory-link.ts"
import type { DirectoryAddress } from "./directory-socket.ts"
import type { LdapOptions } from "./ldap-options.ts"
import { fillDn, fillFilter, firstValue, readDirectoryUrl } from "./ldap-text.ts"

const GROUPS_MAX = 1000

/** An entry with the name that it has in the directory. */
interface Found {
  readonly dn: string
  readonly user: string
  readonly groups: readonly string[]
}

/** Users of a directory (RFC 4511): their entry is found or named by a template, and their password is tried on it. */
export class LdapSource implements PasswordSource {
  private readonly options: LdapOptions
  private ca: string | null = null
  private directory: Promise<Directory> | null = null
  private searcherPassword = ""
  private running = 0
  private readonly waiting: (() => void)[] = []

  constructor(options: LdapOptions, deps: FilterDeps, changed: () => void) {
    this.options = options
    if (options.ca !== undefined) this.followAuthorities(deps, options.ca, changed)
    if (options.bind !== undefined) this.followPassword(deps, options.bind.passwordFile)
  }

  get text(): string {
    return `ldap: ${this.options.servers.join(" ")}`
  }

  check(claim: PasswordClaim, told: Told): Outcome | Pending {
    if (!isName(claim.user)) return UNKNOWN
    // Only workers ask outside: whoever explains a config in another thread gets no answer.
    if (isMainThread) return pendingOf(new Promise(() => {}), told)
    if (this.running < this.options.connectionsMax) return pendingOf(this.run(claim), told)
    return this.waiting.length < this.options.waitingMax ? this.wait(claim, told) : BUSY
  }

  private wait(claim: PasswordClaim, told: Told): Pending {
    let begun: Pending | null = null
    const begin = (): void => {
      begun = pendingOf(this.run(claim), told)
    }
    this.waiting.push(begin)
    return {
      cancel: () => {
        const at = this.waiting.indexOf(begin)
        if (at >= 0) this.waiting.splice(at, 1)
        begun?.cancel()
      },
    }
  }

  private async run(claim: PasswordClaim): Promise<Outcome> {
    this.running++
    try {
      const directory = await this.open()
      return await directory.use(link => this.ask(link, claim))
    } catch (error) {
      log.info("filter", "no directory server can say who it is", { reason: error instanceof Error ? error.message : String(error) })
      return UNAVAILABLE
    } finally {
      this.running--
      this.waiting.shift()?.()
    }
  }

  private async ask(link: DirectoryLink, claim: PasswordClaim): Promise<Outcome> {
    const { remember, rememberWrong, dn } = this.options
    const found = dn === undefined ? await this.find(link, claim.user) : { dn: fillDn(dn, claim.user), user: "", groups: [] }
    if (found === null) return unknownUntil(Date.now() + rememberWrong)
    if (!(await link.bind(found.dn, claim.password))) return wrongUntil(Date.now() + rememberWrong)
    const known = dn === undefined ? found : await this.readOwn(link, found.dn, claim.user)
    return isIn(known.user, known.groups, Date.now() + remember)
  }

  /** The one entry of this name, as the account that searches sees it. */
  private async find(link: DirectoryLink, user: string): Promise<Found | null> {
    const { bind, search } = this.options
    if (!(await link.bind(bind?.dn ?? "", bind === undefined ? "" : this.searcherPassword))) throw new Error("the account that searches is refused")
    const { base, filter, scope } = search!
    const entries = await link.search(base, { scope, filter: fillFilter(filter, { user }), attributes: this.attributes(), sizeLimit: 2 })
    if (entries.length > 1) log.warn("filter", "a directory has several entries for one user; nobody of them gets in", { base, filter })
    return entries.length === 1 ? this.read(link, entries[0]!, user) : null
  }

  /** The entry of who has just been let in, as they see it themselves. */
  private async readOwn(link: DirectoryLink, dn: string, user: string): Promise<Found> {
    const [entry] = await link.search(dn, { scope: "base", filter: "(objectClass=*)", attributes: this.attributes(), sizeLimit: 1 })
    return this.read(link, entry ?? { dn }, user)
  }

  private attributes(): string[] {
    return this.options.groups === "memberOf" ? [this.options.user, "memberOf"] : [this.options.user]
  }

  /** Directories take names in any case: rules must see one. */
  private async read(link: DirectoryLink, entry: Entry, given: string): Promise<Found> {
    const { groups } = this.options
    const name = valuesOf(entry, this.options.user).find(isName) ?? given.trim().toLowerCase()
    if (groups === "none") return { dn: entry.dn, user: name, groups: [] }
    if (groups === "memberOf") return { dn: entry.dn, user: name, groups: namesOf(valuesOf(entry, "memberOf").map(firstValue)) }
    const { base, filter, scope } = groups
    const asked = { scope, filter: fillFilter(filter, { dn: entry.dn, user: name }), attributes: [groups.name], sizeLimit: GROUPS_MAX }
    const found = await link.search(base, asked)
    return { dn: entry.dn, user: name, groups: namesOf(found.flatMap(group => valuesOf(group, groups.name))) }
  }

  /** Loaded when it is used first: the library for LDAP takes 10 MB of each thread. */
  private open(): Promise<Directory> {
    this.directory ??= import("./directory.ts").then(({ Directory }) => {
      const { servers, connectTimeout, timeout } = this.options
      const addresses = servers.map(name => ({ name, address: addressOf(name, this.options, this.ca) }))
      return new Directory(addresses, { connectMs: connectTimeout, answerMs: timeout })
    })
    return this.directory
  }

  private followAuthorities(deps: FilterDeps, file: string, changed: () => void): void {
    this.ca = deps.watchFile(deps.path(file), content => {
      this.ca = content
      // The next one begins with these; connections of the one before close by themselves.
      this.directory = null
      changed()
    })
  }

  private followPassword(deps: FilterDeps, file: string): void {
    const path = deps.path(file)
    const content = deps.watchFile(path, changed => {
      this.searcherPassword = parsePasswordFile(changed, path)
    })
    this.searcherPassword = parsePasswordFile(content, path)
  }
}

/** The password in a file; the line's end does not count. Throws where there is none. */
export function parsePasswordFile(content: string, path: string): string {
  const password = content.replace(/\r?\n$/, "")
  if (password === "" || password.includes("\n")) throw new Error(`${path}: expected a password in one line`)
  return password
}

function addressOf(url: string, { startTls, serverName }: LdapOptions, ca: string | null): DirectoryAddress {
  const { host, port, secure } = readDirectoryUrl(url)
  return { host, port, tls: secure ? "at-once" : startTls ? "start" : "none", ca, serverName: serverName ?? "" }
}

/** Values of an attribute, whatever its case in the answer; octets that are no text are none. */
function valuesOf(entry: Entry, attribute: string): string[] {
  const key = Object.keys(entry).find(name => name.toLowerCase() === attribute.toLowerCase())
  const value = key === undefined ? [] : entry[key]!
  return (Array.isArray(value) ? value : [value]).filter((one): one is string => typeof one === "string" && one !== "")
}

function namesOf(groups: readonly string[]): string[] {
  return [...new Set(groups.filter(name => name !== ""))].slice(0, GROUPS_MAX)
}
