import { z } from "zod"
import { field, maybe, nameSchema, pathSchema } from "../../base/index.ts"

// Basic credentials are UTF-8 (RFC 7617); what ends a line or a name has no place in them.
const userSchema = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^\p{Cc}:]+$/u, "a user's name has no colon and no control characters (RFC 7617)")
const passwordSchema = z
  .string()
  .max(255)
  .regex(/^\P{Cc}*$/u, "a password has no control characters (RFC 7617)")
const tokenSchema = z.string().regex(/^[A-Za-z0-9\-._~+/]+=*$/, "expected a token of letters, digits and - . _ ~ + / (RFC 6750)")

const kindSchema = z.enum(["http", "https", "socks5", "socks5h", "socks4a"])

const parentLongSchema = z.strictObject({
  kind: field(
    kindSchema,
    "http",
    "What the parents speak: http is HTTP, over TLS where the cluster has `tls`; https is http with `tls: true`; socks5 (the same as socks5h) and socks4a. Names are always the parent's to resolve.",
  ),
  user: maybe(userSchema, "Who we are towards the parents (Basic, RFC 7617)."),
  password: maybe(passwordSchema, "The user's password; better in a file."),
  passwordFile: maybe(pathSchema, "File with the password in its first line."),
  token: maybe(tokenSchema, "A bearer token instead of user and password (RFC 6750); better in a file."),
  tokenFile: maybe(pathSchema, "File with the token in its first line."),
  via: maybe(nameSchema, "Cluster of further parents, through which these are reached. Default: straight."),
})

export type ParentConfig = z.output<typeof parentLongSchema>

/** What makes a cluster one of parent proxies. */
export const parentSchema = z.union([
  kindSchema.transform((kind): ParentConfig => parentLongSchema.parse({ kind })),
  parentLongSchema,
]) as unknown as z.ZodType<ParentConfig, ParentConfig["kind"] | z.input<typeof parentLongSchema>>

/** A cluster as it is written, where `kind: https` says what `tls: true` does. */
export function withParentTls(written: unknown): unknown {
  if (!isMap(written)) return written
  const { parent, tls } = written
  const kind = isMap(parent) ? parent["kind"] : parent
  return kind === "https" && (tls === undefined || tls === null) ? { ...written, tls: true } : written
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
