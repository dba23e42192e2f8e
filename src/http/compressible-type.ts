// HOT
/** Types that are not compressed by themselves; besides all of `text/` and what ends in +json or +xml. */
const TYPES: ReadonlySet<string> = new Set([
  "application/dash+xml",
  "application/ecmascript",
  "application/geo+json-seq",
  "application/graphql-response+json",
  "application/javascript",
  "application/json",
  "application/json-seq",
  "application/jsonlines",
  "application/rtf",
  "application/sql",
  "application/toml",
  "application/vnd.apple.mpegurl",
  "application/vnd.ms-fontobject",
  "application/wasm",
  "application/x-font-otf",
  "application/x-font-ttf",
  "application/x-javascript",
  "application/x-mpegurl",
  "application/x-ndjson",
  "application/x-yaml",
  "application/xml",
  "application/xml-dtd",
  "application/yaml",
  "font/collection",
  "font/otf",
  "font/sfnt",
  "font/ttf",
  "image/bmp",
  "image/vnd.microsoft.icon",
  "image/x-icon",
])

/** Whether a Content-Type is of something that gets smaller. "" = not known, so no. */
export function isCompressibleType(type: string): boolean {
  const semicolon = type.indexOf(";")
  const name = (semicolon < 0 ? type : type.substring(0, semicolon)).trim().toLowerCase()
  return name.startsWith("text/") || name.endsWith("+json") || name.endsWith("+xml") || TYPES.has(name)
}
