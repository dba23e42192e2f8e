interface Kind {
  /** Beginnings of the types that fit, lower case. */
  readonly types: readonly string[]
  readonly suffixes: string
}

const KINDS: readonly Kind[] = [
  { types: ["text/css"], suffixes: "css" },
  { types: ["text/javascript", "application/javascript", "application/x-javascript"], suffixes: "js mjs cjs" },
  { types: ["application/json", "application/octet-stream"], suffixes: "map" },
  { types: ["application/wasm", "application/octet-stream"], suffixes: "wasm" },
  { types: ["image/"], suffixes: "png jpg jpeg gif webp avif jxl ico bmp svg svgz tif tiff apng heic cur" },
  {
    types: ["font/", "application/font-", "application/x-font-", "application/vnd.ms-fontobject", "application/octet-stream"],
    suffixes: "woff woff2 ttf otf eot",
  },
  {
    types: ["video/", "audio/", "application/ogg", "application/octet-stream"],
    suffixes: "mp4 m4v webm mkv mov avi ogv mp3 m4a aac ogg oga opus wav flac",
  },
  { types: ["video/mp2t", "application/octet-stream"], suffixes: "ts" },
  { types: ["application/pdf", "application/octet-stream"], suffixes: "pdf" },
  { types: ["text/plain"], suffixes: "txt" },
  { types: ["text/csv", "application/csv", "application/octet-stream"], suffixes: "csv" },
  {
    types: [
      "application/octet-stream",
      "application/zip",
      "application/gzip",
      "application/x-",
      "application/vnd.",
      "application/java-archive",
      "application/msword",
    ],
    suffixes: "zip gz tgz bz2 xz zst 7z rar tar jar apk ipa deb rpm dmg pkg iso msi exe bin swf doc docx xls xlsx ppt pptx",
  },
]

/** A suffix is at most this long; the table has none that is longer. */
const suffixLengthMax = 5

const FITTING: ReadonlyMap<string, readonly string[]> = new Map(
  KINDS.flatMap(({ types, suffixes }) => suffixes.split(" ").map((suffix): [string, readonly string[]] => [suffix, types])),
)

/**
 * Whether a response type fits what the path's suffix promises; true for paths without a static-looking suffix. What does not fit may be a page of one user that
 * somebody made look like a file, as `/account/x.css` (RFC 9111 section 7.3). `path` may have a query; it does not count.
 */
export function contentFits(path: string, contentType: string): boolean {
  const types = FITTING.get(suffixOf(path))
  if (types === undefined) return true
  const type = contentType.toLowerCase()
  // Two types that were sent as two lines: which of them counts is anybody's guess.
  return !type.includes(",") && types.some(beginning => type.startsWith(beginning))
}

/** Lower case, "" = none. */
function suffixOf(path: string): string {
  const query = path.indexOf("?")
  const end = query < 0 ? path.length : query
  const dot = path.lastIndexOf(".", end - 1)
  if (dot < 0 || end - dot - 1 > suffixLengthMax) return ""
  return path.slice(dot + 1, end).toLowerCase()
}
