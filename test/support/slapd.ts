import { execFileSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Client } from "ldapts"
import { Authority, type Certificate } from "./certificates.ts"
import { freePorts } from "./ports.ts"
import { isListening, type Program, startProgram, temporaryFolder, untilReady } from "./processes.ts"

const suffix = "dc=example,dc=test"
const admin = { dn: `cn=admin,${suffix}`, password: "adminsecret" }

/** OpenLDAP's server with a database of its own, over plain TCP (with StartTLS) and TLS; its certificate is for `localhost`. */
export class Slapd implements AsyncDisposable {
  readonly suffix = suffix
  readonly admin = admin
  readonly port: number
  readonly securePort: number
  readonly authority: Authority
  private readonly args: readonly string[]
  private program: Program

  constructor(program: Program, args: readonly string[], ports: readonly [number, number], authority: Authority) {
    this.program = program
    this.args = args
    ;[this.port, this.securePort] = ports
    this.authority = authority
  }

  /** Password of the accounts that `startSlapd` was given: their name and "secret". */
  get url(): string {
    return `ldap://localhost:${this.port}`
  }

  get secureUrl(): string {
    return `ldaps://localhost:${this.securePort}`
  }

  /** Does something as the administrator. */
  async change(work: (client: Client) => Promise<unknown>): Promise<void> {
    const client = new Client({ url: `ldap://127.0.0.1:${this.port}`, timeout: 3000 })
    await client.bind(admin.dn, admin.password)
    await work(client)
    await client.unbind()
  }

  async stop(): Promise<void> {
    await this.program.stop()
  }

  /** Starts again with what was in the database, on the same ports. */
  async restart(): Promise<void> {
    this.program = await run(this.args, this.port)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

/** Starts a directory with `ou=people` and `ou=groups` and these accounts, whose password is their name and "secret". */
export async function startSlapd(users: readonly string[], groups: Readonly<Record<string, readonly string[]>>): Promise<Slapd> {
  const folder = temporaryFolder("slapd")
  const authority = new Authority("directory CA")
  const certificate = authority.issue(["localhost"])
  const config = join(folder, "slapd.conf")
  mkdirSync(join(folder, "db"))
  writeFileSync(config, configOf(folder, authority, certificate))
  writeFileSync(join(folder, "base.ldif"), baseOf(users))
  execFileSync("/usr/sbin/slapadd", ["-f", config, "-l", join(folder, "base.ldif")], { stdio: ["ignore", "ignore", "pipe"] })
  const ports = (await freePorts(2)) as [number, number]
  const args = ["-f", config, "-h", `ldap://127.0.0.1:${ports[0]}/ ldaps://127.0.0.1:${ports[1]}/`, "-d", "0"]
  const slapd = new Slapd(await run(args, ports[0]), args, ports, authority)
  // The overlay that keeps memberOf sees only what is added while it runs.
  await slapd.change(async client => {
    for (const [name, members] of Object.entries(groups)) {
      const member = members.map(user => dnOf(user))
      await client.add(`cn=${name},ou=groups,${suffix}`, { objectClass: "groupOfNames", cn: name, member })
    }
  })
  return slapd
}

async function run(args: readonly string[], port: number): Promise<Program> {
  const program = startProgram("slapd", "/usr/sbin/slapd", args)
  await untilReady(program, () => isListening(port))
  return program
}

function dnOf(user: string): string {
  return `uid=${user},ou=people,${suffix}`
}

function configOf(folder: string, { ca }: Authority, { certFile, keyFile }: Certificate): string {
  return `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile ${folder}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
TLSCACertificateFile ${ca.certFile}
TLSCertificateFile ${certFile}
TLSCertificateKeyFile ${keyFile}
allow bind_anon_cred
database mdb
suffix "${suffix}"
rootdn "${admin.dn}"
rootpw ${admin.password}
directory ${folder}/db
maxsize 10485760
overlay memberof
`
}

function baseOf(users: readonly string[]): string {
  const unit = (ou: string): string => `dn: ou=${ou},${suffix}\nobjectClass: organizationalUnit\nou: ${ou}\n`
  const base64 = (text: string): string => Buffer.from(text, "utf8").toString("base64")
  const person = (user: string): string =>
    `dn:: ${base64(dnOf(user))}\nobjectClass: inetOrgPerson\nuid:: ${base64(user)}\ncn: x\nsn: x\nuserPassword:: ${base64(`${user}secret`)}\n`
  return [
    `dn: ${suffix}\nobjectClass: dcObject\nobjectClass: organization\no: example\ndc: example\n`,
    unit("people"),
    unit("groups"),
    ...users.map(person),
  ].join("\n")
}
