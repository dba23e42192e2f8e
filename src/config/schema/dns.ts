import { z } from "zod"
import { count, duration, field, listOf, maybe, nameSchema } from "../../base/index.ts"
import { cidrSchema } from "./address.ts"

/** A network of addresses to give out, of one family. */
function rangeOf(family: 4 | 6) {
  return cidrSchema.superRefine((text, context) => {
    const isSix = text.includes(":")
    const bits = Number(text.split("/")[1] ?? (isSix ? 128 : 32))
    const rest = (isSix ? 128 : 32) - bits
    if (isSix !== (family === 6)) context.addIssue({ code: "custom", message: `expected a network of IPv${family}` })
    else if (rest < 4) context.addIssue({ code: "custom", message: "expected a network of 16 addresses or more" })
  })
}

const dnsLongSchema = z.strictObject({
  answer: z
    .enum(["stand-in", "resolve"])
    .describe(
      "stand-in: each name gets an address of `range` that stands for it, and transparent listeners turn it back into the name, so that no query leaves this machine. resolve: names are looked up by our resolver.",
    ),
  range: field(
    rangeOf(4),
    "198.18.0.0/15",
    "stand-in: addresses that are given out. They lead nowhere, so they should be nobody's: the default is for benchmarks (RFC 2544).",
  ),
  ipv6: maybe(rangeOf(6), "stand-in: the same for IPv6, such as fd00:6277::/96. Default: names have no IPv6 address."),
  namesMax: field(
    count(16, 1_000_000),
    16_384,
    "stand-in: names that have an address at the same time, over all workers; then the one that was asked for the longest ago gives its place up.",
  ),
  ttl: field(
    duration({ min: 1000, max: 86_400_000 }),
    "1m",
    "stand-in: how long clients may remember an address; no name gives its place up before.",
  ),
  block: field(listOf(nameSchema).or(z.array(z.never())), [], "Lists of names that do not exist for clients, see `lists`."),
  from: field(z.array(cidrSchema), ["127.0.0.0/8", "::1"], "Networks whose clients are answered, beside this machine; nobody else is."),
})

/** What a listener that speaks DNS answers. */
export const dnsSchema = z.union([
  z.literal(false).transform((): null => null),
  z.enum(["stand-in", "resolve"]).transform((answer): z.output<typeof dnsLongSchema> => dnsLongSchema.parse({ answer })),
  dnsLongSchema,
])
