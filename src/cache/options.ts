import { z } from "zod"
import { CidrSet, duration, ratio, size } from "../base/index.ts"

const tokenSchema = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "not a name that HTTP allows")
const days = 24 * 3600 * 1000

const statusSchema = z.record(z.string().regex(/^[2-5][0-9][0-9]$/, "a status such as 404"), duration({ max: 30 * days }))

const querySchema = z
  .union([
    z.enum(["all", "ignore", "sort"]),
    z.strictObject({
      only: z.array(z.string()).min(1).optional().describe("Parameters that count; `utm_*` names all that begin so. Others may be anything."),
      without: z.array(z.string()).min(1).optional().describe("Parameters that do not count."),
      sort: z.boolean().default(true).describe("Their order does not count."),
    }),
  ])
  .describe("What of the query tells pages apart. The whole of it goes to the peer in any case.")

const networkSchema = z.string().superRefine((text, { addIssue }) => {
  try {
    CidrSet.parse([text])
  } catch (error) {
    addIssue({ code: "custom", message: (error as Error).message })
  }
})

const keySchema = z
  .strictObject({
    query: querySchema.default("all"),
    headers: z.array(tokenSchema).max(8).default([]).describe("Request fields whose values tell pages apart."),
    cookies: z.array(tokenSchema).max(8).default([]).describe("Cookies whose values tell pages apart."),
    device: z.boolean().default(false).describe("Phones, tablets and the rest get pages of their own (Sec-CH-UA-Mobile, User-Agent)."),
  })
  .describe("What a page is stored under besides its URL.")

const coalesceSchema = z.union([
  z.literal("off").transform(() => ({ wait: 0 })),
  z.literal(false).transform(() => ({ wait: 0 })),
  z.strictObject({
    wait: duration({ min: 1, max: days }).prefault("5s").describe("How long a request waits for another one's answer before it goes by itself."),
  }),
])

const codingSchema = z.union([
  z.enum(["off"]).transform((): ("br" | "zstd" | "gzip")[] => []),
  z.literal(false).transform((): ("br" | "zstd" | "gzip")[] => []),
  z
    .array(z.enum(["br", "zstd", "gzip"]))
    .min(1)
    .max(3),
])

/** What a route says of its cache. */
export const cacheOptionsSchema = z
  .strictObject({
    store: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "expected a name under `caches:`")
      .describe("Name under `caches:`."),
    ttl: duration({ max: 365 * days })
      .optional()
      .describe("Lifetime of good answers (200, 203, 301, 308) that say nothing of it themselves. Not for requests with cookies or credentials."),
    forceTtl: duration({ max: 365 * days })
      .optional()
      .describe(
        "Lifetime instead of what the answer says, also against no-store and private: for servers that know no better. Not for requests with cookies or credentials; answers with Set-Cookie stay out.",
      ),
    negativeTtl: statusSchema.default({}).describe("Lifetime by status of answers that say nothing of it: `{ 404: 10s, 503: 1s }`."),
    heuristic: z
      .union([z.literal("off").transform(() => 0), z.literal(false).transform(() => 0), ratio({ max: 1 })])
      .prefault("10%")
      .describe("Part of the time since Last-Modified for which an answer without a lifetime is fresh (RFC 9111 section 4.2.2), at most a day."),
    staleWhileRevalidate: duration({ max: 365 * days })
      .prefault("0")
      .describe("How long an answer may be used past its lifetime while it is fetched anew, where it says nothing itself (RFC 5861)."),
    staleIfError: duration({ max: 365 * days })
      .prefault("0")
      .describe("The same where its server fails or answers 5xx."),
    bodyMax: size({ min: 1, max: 2 ** 40 })
      .default(2 ** 40)
      .describe("Larger bodies are not stored; nor is what is over a quarter of the memory, unless there is a disk. Default: no other limit."),
    minUses: z.int().min(1).max(100).default(1).describe("Stored with the n-th request for it."),
    setCookie: z
      .enum(["public", "refuse", "strip", "keep"])
      .default("public")
      .describe(
        "Answers with Set-Cookie: stored only when they say public and then without the field; never; always without the field; always with it, so that everybody gets the first one's cookie.",
      ),
    key: keySchema.prefault({}),
    coalesce: coalesceSchema.prefault({}).describe("Equal requests wait for one fetch; `off` lets each go by itself."),
    passMemory: duration({ max: days })
      .prefault("1m")
      .describe("How long it is remembered that an answer cannot be stored, so that requests for it do not wait for each other."),
    refreshAhead: z
      .union([z.literal("off").transform(() => 0), z.literal(false).transform(() => 0), ratio({ max: 0.5 })])
      .prefault("off")
      .describe("Answers that are asked for in this last part of their lifetime are fetched anew before they expire: `10%`."),
    compress: codingSchema
      .prefault("off")
      .describe("Keeps texts compressed as well, in these codings, and serves what the client prefers: `[br, gzip]`."),
    slice: z
      .union([z.literal("off").transform(() => 0), z.literal(false).transform(() => 0), size({ min: 64 * 1024, max: 64 * 1024 * 1024 })])
      .prefault("off")
      .describe(
        "Fetches and stores bodies that are larger than this in ranges of this size, each by itself, from servers that answer ranges with a strong validator: `1MB`.",
      ),
    earlyHints: z
      .boolean()
      .default(false)
      .describe("Sends 103 with the stored Link fields (preload, preconnect) while a page is fetched, to clients of HTTP/2 and HTTP/3 (RFC 8297)."),
    purgeMethod: z
      .strictObject({ from: z.array(networkSchema).min(1).describe("Networks that may.") })
      .optional()
      .describe("Takes the method PURGE for one URL. Default: it is a method like others."),
    status: z.boolean().default(true).describe("Says in Cache-Status what the cache did (RFC 9211)."),
  })
  .describe("Answers from a cache and fills it (RFC 9111).")

export type CacheOptions = z.output<typeof cacheOptionsSchema>
