import type { Exchange } from "../../flow/index.ts"
import type { FilterDeps } from "../../plugin/index.ts"
import { systemClock } from "../../base/index.ts"
import { BearerLogin } from "./bearer/bearer-login.ts"
import { CertificateLogin } from "./certificate/certificate-login.ts"
import { DigestLogin } from "./digest/digest-login.ts"
import { HttpCheck } from "./http/http-check.ts"
import { LdapSource } from "./ldap/ldap-source.ts"
import type { LoginOptions } from "./login-options.ts"
import { LIMITED, type LoginState, NONE, type Outcome, type PasswordSource, type Pending, type Told, WRONG } from "./outcome.ts"
import { HtpasswdSource } from "./password/htpasswd-source.ts"
import { PasswordChain } from "./password/password-chain.ts"

/** The ways of one log-in: who checks which scheme, and what a client is asked for. */
export class LoginWays {
  private readonly passwords: PasswordChain | null
  private readonly digest: DigestLogin | null
  private readonly bearer: BearerLogin | null
  private readonly certificate: CertificateLogin | null
  private readonly address: HttpCheck | null
  /** Challenges that are always the same, and those to whoever showed a token that is nobody's. */
  private readonly fixed: string
  private readonly afterWrong: string

  /** `changed` is called when what was good must be checked again. */
  constructor(options: LoginOptions, deps: FilterDeps, changed: () => void) {
    const { digest, bearer, certificate, realm } = options
    const service = options.http === undefined ? null : new HttpCheck(options.http, deps)
    const sources = passwordSources(options, service, deps, () => {
      this.passwords?.forget()
      changed()
    })
    this.passwords = sources.length === 0 ? null : new PasswordChain(sources)
    this.digest = digest === undefined ? null : new DigestLogin(digest, realm, deps)
    this.bearer = bearer === undefined ? null : new BearerLogin(bearer, deps, changed)
    this.certificate = certificate === undefined ? null : new CertificateLogin(certificate)
    this.address = options.http?.by === "address" ? service : null
    const basic = this.passwords === null ? "" : `Proxy-Authenticate: Basic realm="${realm}", charset="UTF-8"\r\n`
    const token = `Proxy-Authenticate: Bearer realm="${realm}"`
    this.fixed = `${bearer === undefined ? "" : `${token}\r\n`}${basic}`
    this.afterWrong = `${bearer === undefined ? "" : `${token}, error="invalid_token"\r\n`}${basic}`
  }

  get text(): string {
    return [this.passwords, this.digest, this.bearer, this.certificate, this.address].flatMap(way => (way === null ? [] : [way.text])).join("; ")
  }

  /** Looks whether keys have changed. */
  follow(nowMs: number): void {
    this.bearer?.follow(nowMs)
  }

  /** What a 407 asks for, strongest first: clients take the first or the best that they know. */
  challenges(state: LoginState): string {
    const digest = this.digest === null ? "" : this.digest.challenges(state === "stale")
    return `${digest}${state === "wrong" ? this.afterWrong : this.fixed}`
  }

  /** What was found out about this field lately; null = nothing. */
  recall(said: string): Outcome | null {
    return this.passwords === null || schemeOf(said) !== "basic" ? null : this.passwords.recall(said)
  }

  check(x: Exchange, said: string, told: Told): Outcome | Pending {
    const scheme = schemeOf(said)
    if (scheme === "basic" && this.passwords !== null) return this.passwords.check(said, told)
    if (scheme === "digest" && this.digest !== null) return this.digest.check(x, said, true) ?? WRONG
    if (scheme === "bearer" && this.bearer !== null) return this.bearer.check(said, told)
    return WRONG
  }

  /** For clients that were wrong too often: only those who have been in are looked at. */
  checkKnown(x: Exchange, said: string): Outcome {
    const known = schemeOf(said) === "digest" && this.digest !== null ? this.digest.check(x, said, false) : null
    return known ?? LIMITED
  }

  /** Of a client that says nothing. */
  checkSilent(x: Exchange, told: Told): Outcome | Pending {
    const shown = this.certificate === null ? NONE : this.certificate.check(x)
    if (shown.state !== "none" || this.address === null) return shown
    return this.address.checkAddress(x, told)
  }
}

function schemeOf(said: string): string {
  const end = said.indexOf(" ")
  return (end < 0 ? said : said.slice(0, end)).toLowerCase()
}

/** In the order in which they are asked: what is near comes first. */
function passwordSources(
  { htpasswd, basic, ldap, http }: LoginOptions,
  service: HttpCheck | null,
  deps: FilterDeps,
  changed: () => void,
): PasswordSource[] {
  const others: PasswordSource[] = []
  if (ldap !== undefined) others.push(new LdapSource(ldap, deps, changed))
  if (service !== null && http?.by === "credentials") others.push(service)
  const file = htpasswd ?? basic?.htpasswd
  return file === undefined ? others : [new HtpasswdSource(file, others.length > 0, systemClock, deps, changed), ...others]
}
