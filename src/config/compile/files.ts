import { type FileHandle, open } from "node:fs/promises"
import { extname, join, resolve, sep } from "node:path"
import { realpath } from "node:fs/promises"
import { FAULT } from "../../base/index.ts"
import { ANSWER, type Exchange, FAULT_VERDICT, resume, setLocalResponse, type Step, type Verdict, WAIT } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"
import type { DestinationConfig } from "../schema/route.ts"
import { refuseFileMethod } from "./destinations.ts"

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".htm": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".avif": "image/avif",
  ".ico": "image/x-icon",
  ".txt": "text/plain; charset=utf-8",
  ".xml": "application/xml",
  ".pdf": "application/pdf",
  ".wasm": "application/wasm",
  ".woff": "font/woff",
  ".woff2": "font/woff2",
  ".mp4": "video/mp4",
  ".webm": "video/webm",
}

/** Larger files are refused until the file server of its own arrives: this one answers from memory. */
const FILE_BYTES_MAX = 16 * 1024 * 1024

/**
 * Answers GET and HEAD with a file below the root. Hidden files, paths out of the root and symlinks that lead out are not found;
 * the path is taken from the form that rules see, so that no encoding walks around them.
 */
export function filesStep(to: Extract<DestinationConfig, { kind: "files" }>, baseDir: string): Step {
  const root = resolve(baseDir, to.root)
  const strip = to.strip.replace(/\/$/, "")
  return (x: Exchange): Verdict => {
    if (x.method !== "GET" && x.method !== "HEAD") return refuseFileMethod(x)
    const name = fileName(x.rulePath, strip, to.index)
    if (name === null) return missing(x)
    const generation = x.generation
    void answer(root, name, x, generation)
    return WAIT
  }
}

function missing(x: Exchange): Verdict {
  x.fault = FAULT.fileMissing
  return FAULT_VERDICT
}

/** Path below the root, or null for what is never served. */
function fileName(path: string, strip: string, index: string): string | null {
  if (strip !== "" && path !== strip && !path.startsWith(`${strip}/`)) return null
  let name = path.substring(strip.length)
  if (name === "" || name.endsWith("/")) name = `${name === "" ? "/" : name}${index}`
  if (name.endsWith("/")) return null
  try {
    name = decodeURIComponent(name)
  } catch {
    return null
  }
  return name.includes("\0") || name.includes("\\") || name.split("/").some(part => part.startsWith(".")) ? null : name
}

async function answer(root: string, name: string, x: Exchange, generation: number): Promise<void> {
  const file = await readWhole(root, name)
  if (x.generation !== generation) return
  if (file === null) {
    x.fault = FAULT.fileMissing
    resume(x, FAULT_VERDICT)
    return
  }
  const tag = `"${file.size.toString(16)}-${Math.floor(file.mtimeMs).toString(16)}"`
  const lines = `Content-Type: ${TYPES[extname(name).toLowerCase()] ?? "application/octet-stream"}\r\nLast-Modified: ${new Date(file.mtimeMs).toUTCString()}\r\nETag: ${tag}\r\n`
  const fresh = x.request
    .joined(NAME.ifNoneMatch)
    .split(",")
    .some(given => given.trim().replace(/^W\//, "") === tag)
  setLocalResponse(x, fresh ? 304 : 200, lines, fresh ? null : file.content)
  resume(x, ANSWER)
}

interface WholeFile {
  readonly content: Buffer
  readonly size: number
  readonly mtimeMs: number
}

async function readWhole(root: string, name: string): Promise<WholeFile | null> {
  let handle: FileHandle | null = null
  try {
    const [path, realRoot] = await Promise.all([realpath(join(root, name)), realpath(root)])
    if (!path.startsWith(realRoot + sep)) return null
    handle = await open(path, "r")
    const stat = await handle.stat()
    if (!stat.isFile() || stat.size > FILE_BYTES_MAX) return null
    return { content: await handle.readFile(), size: stat.size, mtimeMs: stat.mtimeMs }
  } catch {
    return null
  } finally {
    await handle?.close()
  }
}
