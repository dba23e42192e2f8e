import { z } from "zod"
import { count, duration, field, listOf, maybe, off, pathSchema, size } from "../../base/index.ts"

const nameOfFile = z
  .string()
  .min(1)
  .regex(/^[^/\0\\]+$/, "expected the name of a file, without slashes")

/** The ending of a sibling that holds the same content compressed, by coding. */
export const ENDINGS = { zstd: ".zst", br: ".br", gzip: ".gz" } as const

export type SiblingCoding = keyof typeof ENDINGS

const codings = z.array(z.enum(["zstd", "br", "gzip"])).min(1)

const precompressed = z.union([
  off,
  z.literal(true).transform((): SiblingCoding[] => ["zstd", "br", "gzip"]),
  codings.transform((list): SiblingCoding[] => [...new Set(list)]),
])

const pathInside = z.string().regex(/^[^\0\\]+$/, "expected the path of a file below the root")

export const filesOptions = z.strictObject({
  root: pathSchema.describe("Directory that is served."),
  strip: field(z.string().regex(/^(?:\/.*)?$/, "expected a path prefix that starts with /"), "", "Prefix taken off the path before it is looked up."),
  index: field(
    z.union([z.literal("").transform((): string[] => []), listOf(nameOfFile)]),
    "index.html",
    'File for paths that end in /, or a list of which the first that is there counts; "" = none.',
  ),
  extensions: field(
    z.array(z.string().regex(/^\.[^/\0\\]+$/, "expected an ending such as .html")),
    [],
    "Endings that are tried behind a path without a file: /about finds about.html.",
  ),
  fallback: maybe(
    pathInside,
    "File that answers, with 200, paths without a file when the client takes HTML or the last segment has no dot: a page that does its own routing.",
  ),
  notFound: maybe(pathInside, "File that answers, with 404, paths without a file."),
  listing: field(z.boolean(), false, "Lists directories without an index, as HTML or JSON by what Accept prefers."),
  precompressed: field(
    precompressed,
    "off",
    "Siblings with the same content compressed, best first: page.html.zst, .br, .gz. One that is older than the file is not used. true = all three.",
  ),
  hidden: field(z.enum(["deny", "allow"]), "deny", "Files and directories whose name begins with a dot."),
  symlinks: field(
    z.enum(["within", "deny", "follow"]),
    "within",
    "Links: within = those whose target lies below the root, deny = none, follow = all.",
  ),
  types: field(
    z.record(
      z.string().regex(/^\.[^/\0\\]+$/, "expected an ending such as .html"),
      z.string().regex(/^[\x21-\x7e]+\/[\x20-\x7e]+$/, "expected a type such as text/plain"),
    ),
    {},
    "Content types by the ending of the name, over the built-in ones.",
  ),
  defaultType: field(
    z.string().regex(/^[\x21-\x7e]+\/[\x20-\x7e]+$/, "expected a type such as text/plain"),
    "application/octet-stream",
    "Type of all other endings.",
  ),
  memory: field(
    z.strictObject({
      bytesMax: field(size({ max: 2 ** 32 }), "32MB", "Content that each worker holds; what was asked for longest ago goes first."),
      fileBytesMax: field(size({ max: 64 * 1024 ** 2 }), "256KB", "Larger files are read from the disk each time."),
      filesMax: field(count(16, 10_000_000), 10_000, "Files, and paths without one, that each worker remembers."),
      recheck: field(duration(), "1s", "How long a file is taken to be as it was; then its time and size are looked at."),
    }),
    {},
    "What is kept ready.",
  ),
})

export type FilesOptions = z.output<typeof filesOptions>
