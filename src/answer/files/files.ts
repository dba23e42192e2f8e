import { statSync } from "node:fs"
import { z } from "zod"
import { FAULT, field, pathSchema } from "../../base/index.ts"
import { ANSWER, type Exchange, FAULT_VERDICT, resume, setLocalResponse, type Step, type Verdict, WAIT } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"
import { defineAnswer } from "../../plugin/index.ts"
import { FileStore, type StoredFile } from "./file-store.ts"

const options = z.strictObject({
  root: pathSchema.describe("Directory that is served."),
  strip: field(z.string().regex(/^(?:\/.*)?$/, "expected a path prefix that starts with /"), "", "Prefix taken off the path before it is looked up."),
  index: field(z.string().regex(/^[^/\0]*$/, "expected a file name"), "index.html", 'File for paths that end in /; "" = none.'),
})

/**
 * Answers GET and HEAD with a file below the root. Hidden files, paths out of the root and symlinks that lead out are not found;
 * the path is taken from the form that rules see, so that no encoding walks around them.
 */
function filesStep(to: z.output<typeof options>): Step {
  const store = new FileStore(to.root)
  const strip = to.strip.replace(/\/$/, "")
  return (x: Exchange): Verdict => {
    if (x.method !== "GET" && x.method !== "HEAD") return refuseFileMethod(x)
    const name = fileName(x.rulePath, strip, to.index)
    if (name === null) return missing(x)
    const file = store.find(name)
    if (file !== undefined) return answer(x, file)
    void readAndAnswer(store, name, x, x.generation)
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

function answer(x: Exchange, file: StoredFile): Verdict {
  const fresh = x.request.has(NAME.ifNoneMatch) && namesTag(x.request.joined(NAME.ifNoneMatch), file.tag)
  setLocalResponse(x, fresh ? 304 : 200, file.lines, fresh ? null : file.content)
  return ANSWER
}

/** Weak comparison (RFC 9110 section 13.1.2). */
function namesTag(given: string, tag: string): boolean {
  return given.split(",").some(one => one.trim().replace(/^W\//, "") === tag)
}

async function readAndAnswer(store: FileStore, name: string, x: Exchange, generation: number): Promise<void> {
  const file = await store.read(name)
  if (x.generation !== generation) return
  resume(x, file === null ? missing(x) : answer(x, file))
}

/** A method that files have no answer for. */
function refuseFileMethod(x: Exchange): Verdict {
  x.fault = FAULT.methodForbidden
  x.replyFields = "Allow: GET, HEAD\r\n"
  return FAULT_VERDICT
}

export default defineAnswer({
  name: "files",
  summary: "Answers with a file of a directory.",
  options,
  build: filesStep,
  paths: (to, resolve) => ({ ...to, root: resolve(to.root) }),
  problems(to) {
    try {
      return statSync(to.root).isDirectory() ? [] : [{ severity: "error", at: ["root"], text: `${to.root} is a file, not a directory` }]
    } catch {
      return [{ severity: "warning", at: ["root"], text: `there is no directory ${to.root}; every request gets 404 until there is` }]
    }
  },
  describe: to => `files below ${to.root}`,
})
