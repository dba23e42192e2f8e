import { z } from "zod"
import { field, maybe } from "../../base/index.ts"
import { cidrSchema, portsSchema } from "./address.ts"
import { forwardAuthSchema } from "./forward-auth.ts"
import { forwardTransparentSchema } from "./forward-transparent.ts"
import { forwardInspectSchema } from "./forward-inspect.ts"
import { forwardPacSchema } from "./forward-pac.ts"
import { forwardSocksSchema } from "./forward-socks.ts"

const forwardLongSchema = z.strictObject({
  privateRanges: field(
    z.union([z.enum(["deny", "allow"]), z.array(cidrSchema).min(1)]),
    "deny",
    "Whether clients may reach loopback, private and link-local addresses: deny, allow, or the ranges that are open.",
  ),
  connectPorts: field(z.array(portsSchema), [443], "Ports that CONNECT may name."),
  udpPorts: field(z.array(portsSchema), [443], "Ports that CONNECT-UDP may name (RFC 9298), on routes whose upgrade lists connect-udp."),
  ports: field(z.array(portsSchema), ["80", "443", "1025-65535"], "Ports that absolute-form requests may name."),
  socks: field(
    forwardSocksSchema,
    true,
    "Clients that speak SOCKS 4, 4a or 5 are taken on the same port; what they ask for is judged as CONNECT is.",
  ),
  auth: maybe(forwardAuthSchema, "Clients must say who they are: password, digest, token, certificate, directory or service."),
  pac: field(
    forwardPacSchema,
    false,
    "Gives clients a proxy auto-configuration file at /proxy.pac and /wpad.dat, also those that have not logged in. true = all defaults.",
  ),
  transparent: maybe(
    forwardTransparentSchema,
    "Takes connections that nftables brings here although their clients do not know of the proxy: redirect, tproxy or the long form.",
  ),
  inspect: field(
    forwardInspectSchema,
    false,
    "Looks into tunnels: what is TLS can be opened, so that rules, cache and log hold for what is inside. true = all defaults.",
  ),
  privacy: field(
    z.enum(["transparent", "standard", "anonymous", "high"]),
    "standard",
    "How much of the client the origin learns: transparent adds X-Forwarded-For, standard sends Via with a pseudonym, anonymous sends neither, high also removes telling header fields.",
  ),
})

// `true` means the long form with nothing in it.
/** What a listener lets forward clients do. */
export const forwardSchema = z.union([
  z.literal(false).transform((): null => null),
  z.literal(true).transform((): z.output<typeof forwardLongSchema> => forwardLongSchema.parse({})),
  forwardLongSchema,
])
