import { z } from "zod"
import { count, duration, field, maybe } from "../../base/index.ts"

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/
/** What may stand in an attribute of Set-Cookie (RFC 6265 section 4.1.1). */
const ATTRIBUTE = /^[\x21-\x3a\x3c-\x7e]{1,1024}$/

const learnedShape = {
  ttl: field(duration({ min: 1000 }), "1h", "A client that was away for longer is chosen for anew."),
  entriesMax: field(
    count(8, 16_777_216),
    65_536,
    "Clients that are remembered, over all workers; 8 octets each. The one that was away longest makes room.",
  ),
}

const cookieSchema = z.strictObject({
  name: maybe(
    z.string().regex(TOKEN, "expected a cookie name: letters, digits and !#$%&'*+-.^_`|~"),
    "Name of the cookie. Default: `bw-` and a word made from the cluster's name, so that clusters of one site do not share one.",
  ),
  secret: maybe(
    z.string().min(16, "expected at least 16 characters; longer is better").max(1024),
    "Key of the values. Default: a random one for each start, so that clients are chosen for anew after a restart. Instances that share their clients need the same.",
  ),
  ttl: maybe(
    duration({ min: 2000 }),
    "How long a session lasts after its last request; a new cookie comes in time. Default: until the browser ends.",
  ),
  path: field(
    z.string().regex(/^\//, "expected a path that begins with /").regex(ATTRIBUTE, "expected a path without blanks and ;"),
    "/",
    "Attribute Path.",
  ),
  domain: maybe(z.string().regex(/^[A-Za-z0-9.-]{1,253}$/, "expected a domain name"), "Attribute Domain. Default: none, the host that was asked."),
  sameSite: field(z.enum(["lax", "strict", "none"]), "lax", "Attribute SameSite. none works over https only."),
  secure: field(
    z.union([z.literal("auto"), z.boolean()]),
    "auto",
    "Attribute Secure. auto: on listeners with TLS; behind another proxy that ends it say true.",
  ),
  httpOnly: field(z.boolean(), true, "Attribute HttpOnly: scripts of the page do not see it."),
  keep: field(z.boolean(), false, "The peer sees the cookie too. Otherwise it is taken out of the request."),
})

const headerNameSchema = z.string().regex(TOKEN, "expected the name of a header field")

const headerLongSchema = z.strictObject({ name: headerNameSchema.describe("Field whose value tells clients apart."), ...learnedShape })

const headerSchema = z.union([
  headerNameSchema.transform((name): z.output<typeof headerLongSchema> => headerLongSchema.parse({ name })),
  headerLongSchema,
])

/** Options of each kind of stickiness, by its word in the config. */
export const stickyShape = {
  cookie: cookieSchema.prefault({}).describe("A cookie that names the peer, for us alone."),
  header: headerSchema.describe("The value of a header field, such as a session's or a tenant's."),
  source: z.strictObject(learnedShape).prefault({}).describe("The client's address."),
}

export type CookieConfig = z.output<typeof stickyShape.cookie>
export type StickyConfig =
  | { readonly name: "cookie"; readonly options: CookieConfig }
  | { readonly name: "header"; readonly options: z.output<typeof stickyShape.header> }
  | { readonly name: "source"; readonly options: z.output<typeof stickyShape.source> }
