import { z } from "zod"
import { duration, field } from "../../base/index.ts"

const transparentLongSchema = z.strictObject({
  mode: z
    .enum(["redirect", "tproxy"])
    .describe(
      "How nftables brings the connections: redirect changes their destination, tproxy leaves it as it is and needs CAP_NET_ADMIN. Linux only.",
    ),
  dial: field(
    z.enum(["address", "name"]),
    "address",
    "What is dialled for a client that says a name (TLS name, Host): the address that it called, or what we find under the name. Parent proxies get the name, and stand-in addresses are always dialled by name.",
  ),
  other: field(
    z.enum(["tunnel", "close"]),
    "tunnel",
    "What becomes of clients that speak neither TLS nor HTTP, or wait for their server to speak first: carried to the address that they called, or closed.",
  ),
  silence: field(
    duration({ min: 10, max: 60_000 }),
    "500ms",
    "A client that says nothing for so long waits for its server to speak first. Not on ports 80 and 443, where clients speak first.",
  ),
})

// The bare word means the long form with nothing else in it.
/** How a listener takes connections whose clients do not know of the proxy. */
export const forwardTransparentSchema = z.union([
  z.enum(["redirect", "tproxy"]).transform((mode): z.output<typeof transparentLongSchema> => transparentLongSchema.parse({ mode })),
  transparentLongSchema,
])
