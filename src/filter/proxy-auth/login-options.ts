import { z } from "zod"
import { count, duration, field } from "../../base/index.ts"
import type { OptionProblem } from "../../plugin/index.ts"
import { parseKeyFile } from "../api-key/key-file.ts"
import { htpasswdOption, realmOption } from "../basic-login.ts"
import { fileProblems } from "../file-problems.ts"
import { parseHtpasswd } from "../htpasswd.ts"
import { parseSecret } from "../key-options.ts"
import { parseKeySet } from "../key-source.ts"
import { bearerOptions } from "./bearer/bearer-options.ts"
import { certificateOptions } from "./certificate/certificate-options.ts"
import { digestOptions } from "./digest/digest-options.ts"
import { parseHtdigest } from "./digest/htdigest.ts"
import { groupsSchema, parseGroupFile } from "./groups.ts"
import { httpOptions } from "./http/http-options.ts"
import { ldapOptions } from "./ldap/ldap-options.ts"
import { parsePasswordFile } from "./ldap/ldap-source.ts"
import { networksSchema } from "./network-modes.ts"

const basicOptions = z.strictObject({ htpasswd: htpasswdOption })

const ways = ["htpasswd", "basic", "digest", "bearer", "certificate", "ldap", "http"] as const

/** How forward clients say who they are. Several ways may stand beside each other. */
export const loginOptions = z
  .strictObject({
    htpasswd: htpasswdOption.optional().describe("Short for `basic: { htpasswd: FILE }`."),
    realm: realmOption.default("proxy"),
    networks: networksSchema.default({}),
    groups: groupsSchema.optional(),
    basic: basicOptions.optional().describe("User and password of a file (RFC 7617)."),
    digest: digestOptions.optional().describe("User and password, of which only hashes travel (RFC 7616)."),
    bearer: bearerOptions.optional().describe("Tokens (RFC 6750)."),
    certificate: certificateOptions.optional().describe("The certificate that the client shows to a listener with tls.clientCertificates."),
    ldap: ldapOptions.optional().describe("User and password of a directory, asked for as Basic."),
    http: httpOptions.optional().describe("A service that is asked who may use the proxy."),
    attemptsMax: count(1, 1000).default(5).describe("Wrong credentials on one connection; the last of them closes it."),
    wrongMax: count(0, 1_000_000)
      .default(60)
      .describe("Wrong credentials of one client in `wrongPer`, over all connections; with more, unknown ones get 429 unread. 0 = no limit."),
    wrongPer: field(duration({ min: 1000, max: 86_400_000 }), "1m", "The time in which they are counted."),
  })
  .refine(said => ways.some(way => said[way] !== undefined), `expected at least one of ${ways.join(", ")}`)
  .refine(said => said.htpasswd === undefined || said.basic === undefined, {
    path: ["htpasswd"],
    message: "htpasswd is short for basic: expected one of them",
  })

export type LoginOptions = z.infer<typeof loginOptions>

/** Users and passwords come as Basic, whoever knows them. */
export function takesPasswords({ htpasswd, basic, ldap, http }: LoginOptions): boolean {
  return (htpasswd ?? basic ?? ldap) !== undefined || http?.by === "credentials"
}

/** Some clients need not say anything: those of certain networks, and those that a certificate or an address speaks for. */
export function takesSilent({ networks, certificate, http }: LoginOptions): boolean {
  return Object.values(networks).some(mode => mode !== "required") || certificate !== undefined || http?.by === "address"
}

/** Files that the options name. That of the short `htpasswd` is looked at by whoever checks configs. */
export function loginProblems(options: LoginOptions, resolve: (path: string) => string): OptionProblem[] {
  const { groups, basic, digest, bearer, ldap, realm } = options
  const look = (at: readonly string[], file: string | undefined, parse: (content: string, path: string) => unknown) =>
    file === undefined ? [] : fileProblems(at, resolve(file), parse)
  return [
    ...look(["groups"], typeof groups === "string" ? groups : undefined, parseGroupFile),
    ...look(["basic", "htpasswd"], basic?.htpasswd, parseHtpasswd),
    ...look(["digest", "htdigest"], digest?.htdigest, (content, path) => parseHtdigest(content, path, realm)),
    ...look(["bearer", "tokens"], bearer?.tokens, parseKeyFile),
    ...look(["bearer", "jwt", "jwks", "file"], bearer?.jwt?.jwks?.file, parseKeySet),
    ...look(["bearer", "jwt", "secretFile"], bearer?.jwt?.secretFile, parseSecret),
    ...look(["ldap", "ca"], ldap?.ca, parseAuthorities),
    ...look(["ldap", "bind", "passwordFile"], ldap?.bind?.passwordFile, parsePasswordFile),
    ...(ldap === undefined ? [] : clearTextProblems(ldap)),
  ]
}

function parseAuthorities(content: string, path: string): void {
  if (!content.includes("-----BEGIN CERTIFICATE-----")) throw new Error(`${path}: expected certificates of authorities in PEM`)
}

function clearTextProblems({ servers, startTls }: NonNullable<LoginOptions["ldap"]>): OptionProblem[] {
  if (startTls) return []
  return servers.flatMap((server, i): OptionProblem[] => {
    const isPlain = /^ldap:/i.test(server) && !/^ldap:\/\/(?:localhost|127\.|\[::1\])/i.test(server)
    const at = servers.length === 1 ? ["ldap", "servers"] : ["ldap", "servers", i]
    return isPlain ? [{ severity: "warning", at, text: "passwords travel to this server in the clear; use ldaps:// or leave startTls on" }] : []
  })
}

export function loginClusters({ http, bearer }: LoginOptions): { at: string[]; name: string }[] {
  const keys = bearer?.jwt?.jwks?.cluster
  return [
    ...(http === undefined ? [] : [{ at: ["http", "cluster"], name: http.cluster }]),
    ...(keys === undefined ? [] : [{ at: ["bearer", "jwt", "jwks", "cluster"], name: keys }]),
  ]
}
