import { describe, expect, test } from "bun:test"
import { isCompressibleType } from "./compressible-type.ts"

describe("types that get smaller", () => {
  const yes = ["text/html", "text/css; charset=utf-8", "Text/Plain", "application/json", "application/ld+json", "application/javascript"]
  yes.push(
    "application/xml",
    "image/svg+xml",
    "application/rss+xml;charset=x",
    "application/wasm",
    "font/ttf",
    "font/otf",
    "application/vnd.ms-fontobject",
  )
  for (const type of yes) test(type, () => expect(isCompressibleType(type)).toBe(true))
  const no = ["", "image/png", "image/jpeg", "video/mp4", "font/woff", "font/woff2", "application/zip", "application/gzip", "application/pdf"]
  no.push("application/octet-stream", "text", "application/jsonp2", "multipart/form-data; boundary=text/html")
  for (const type of no) test(`not ${type || "an unknown one"}`, () => expect(isCompressibleType(type)).toBe(false))
})
