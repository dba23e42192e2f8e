import { expect, test } from "bun:test"
import { contentFits } from "./content-fits.ts"

const fitting: readonly [string, string][] = [
  ["/", "text/html"],
  ["/page", "text/html"],
  ["/page.html", "text/html"],
  ["/a.b/page", "text/html"],
  ["/v1.2", "application/json"],
  ["", ""],
  ["/x.css", "text/css"],
  ["/X.CSS", "Text/CSS; charset=utf-8"],
  ["/x.js", "application/javascript"],
  ["/x.mjs", "text/javascript"],
  ["/x.jpg", "image/webp"],
  ["/x.svg", "image/svg+xml"],
  ["/favicon.ico", "image/vnd.microsoft.icon"],
  ["/x.woff2", "font/woff2"],
  ["/x.woff", "application/font-woff"],
  ["/x.pdf", "application/pdf"],
  ["/x.mp4", "video/mp4"],
  ["/x.tar", "application/x-tar"],
  ["/x.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"],
  ["/x?y.css", "text/html"],
  ["/x.css/", "text/html"],
  ["/x.unknown", "text/html"],
  ["/x.", "text/html"],
  ["/x.css%00", "text/html"],
]

const unfitting: readonly [string, string][] = [
  ["/x.css", "text/html"],
  ["/x.css?v=1", "text/html; charset=utf-8"],
  ["/x.css?a.b", "text/html"],
  ["/account;x.css", "text/html"],
  ["/.css", "text/html"],
  ["/x.js", "application/json"],
  ["/x.png", "application/octet-stream"],
  ["/x.pdf", "text/html"],
  ["/x.zip", "application/json"],
  ["/x.zip", "application/xhtml+xml"],
  ["/x.css", ""],
  ["/x.css", "text/css, text/html"],
  ["/x.woff2", "text/plain"],
  ["/account%0ax.css", "text/html"],
  ["/a/..%2fx.css", "text/html"],
]

test("types that fit the suffix, and paths without one", () => {
  for (const [path, type] of fitting) expect(`${path} ${type} ${contentFits(path, type)}`).toBe(`${path} ${type} true`)
})

test("pages under the name of a file", () => {
  for (const [path, type] of unfitting) expect(`${path} ${type} ${contentFits(path, type)}`).toBe(`${path} ${type} false`)
})
