import { z } from "zod"
import { count, duration, field, listOf, pathSchema } from "../../../base/index.ts"
import { attributeProblem, dnTemplateProblem, filterProblem } from "./ldap-text.ts"

const checked = (problemOf: (text: string) => string) =>
  z.string().superRefine((text, context) => {
    const problem = problemOf(text)
    if (problem !== "") context.addIssue({ code: "custom", message: problem })
  })

const serverSchema = z
  .string()
  .refine(text => serverProblem(text) === "", "expected ldaps://host, ldap://host or one of them with a port, and nothing behind it")

function serverProblem(text: string): string {
  if (!/^ldaps?:\/\/[^/?#@\s]+\/?$/i.test(text)) return "form"
  return URL.canParse(text) && new URL(text).hostname !== "" ? "" : "form"
}

const scopeSchema = z.enum(["base", "one", "sub"])
const attribute = checked(attributeProblem)
const dn = z.string().min(1)

export const ldapOptions = z
  .strictObject({
    servers: listOf(serverSchema).describe("ldaps:// or ldap://, asked in this order; the next one when one cannot be reached."),
    startTls: z
      .boolean()
      .default(true)
      .describe("TLS on connections to ldap:// before anything is said (RFC 4511 section 4.14). `false` sends passwords in the clear."),
    ca: pathSchema.optional().describe("Authorities of the servers' certificates. Default: the system's."),
    serverName: z.string().min(1).optional().describe("Name in the servers' certificates. Default: the host of the URL."),
    bind: z
      .strictObject({
        dn: dn.describe("The account that searches."),
        passwordFile: pathSchema.describe("File with its password, read again when it changes."),
      })
      .optional()
      .describe("Who searches. Default: nobody in particular (anonymous)."),
    search: z
      .strictObject({
        base: dn.describe("Where users are, such as ou=people,dc=example,dc=org."),
        filter: checked(text => filterProblem(text, ["user"]))
          .default("(uid={user})")
          .describe("Which entry it is; {user} is what the client said, as one value."),
        scope: scopeSchema.default("sub").describe("How deep: base, one (right below), sub."),
      })
      .optional()
      .describe("Finds the user's entry; then the password is tried on it."),
    dn: checked(dnTemplateProblem).optional().describe("The user's entry without a search, such as uid={user},ou=people,dc=example,dc=org."),
    user: attribute
      .default("uid")
      .describe("Attribute with the name as rules and log have it, whatever way the client wrote it. sAMAccountName with Active Directory."),
    groups: z
      .union([
        z.enum(["none", "memberOf"]),
        z.strictObject({
          base: dn.describe("Where groups are."),
          filter: checked(text => filterProblem(text, ["dn", "user"]))
            .default("(member={dn})")
            .describe("Which groups they are; {dn} is the user's entry, {user} its name."),
          scope: scopeSchema.default("sub").describe("How deep: base, one (right below), sub."),
          name: attribute.default("cn").describe("Attribute with the group's name."),
        }),
      ])
      .default("memberOf")
      .describe("Groups of the user: the first value of each name in memberOf, or a search."),
    timeout: field(duration({ min: 10, max: 60_000 }), "5s", "Time for each answer."),
    connectTimeout: field(duration({ min: 10, max: 60_000 }), "3s", "Time for a connection, TLS included."),
    connectionsMax: count(1, 100).default(4).describe("Connections at a time in each worker."),
    waitingMax: count(0, 10_000).default(64).describe("Passwords that wait for one in each worker; with more the request gets 503."),
    remember: field(duration({ max: 86_400_000 }), "5m", "How long a good password counts without the directory."),
    rememberWrong: field(duration({ max: 3_600_000 }), "10s", "How long a wrong one does, so that a stubborn client locks no account."),
  })
  .refine(said => (said.search === undefined) !== (said.dn === undefined), "expected search or dn")

export type LdapOptions = z.infer<typeof ldapOptions>
