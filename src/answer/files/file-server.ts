// HOT
import { closeSync, constants, fstatSync, openSync } from "node:fs"
import { ANSWER, type Exchange, httpDate, NEXT, setLocalResponse, type Verdict } from "../../flow/index.ts"
import {
  type AcceptedCodings,
  BODY_LENGTH,
  type ByteRange,
  entityTagMatches,
  evaluateConditions,
  NAME,
  parseHttpDate,
  parseRange,
  rangeApplies,
  reasonOf,
} from "../../http/index.ts"
import { type BodyRun, FileSource } from "./file-source.ts"
import { missing } from "./missing.ts"
import { rangeRuns } from "./range-runs.ts"
import type { FileForm, SiteFile } from "./site-file.ts"

/** Answers with a file that was found: the form, the conditions and the ranges that the request asks for. */
export class FileServer {
  private readonly codings: AcceptedCodings | null
  private readonly now: () => number

  /** `codings`: of the compressed siblings, null where none are looked for. `now`: wall clock. */
  constructor(codings: AcceptedCodings | null, now: () => number) {
    this.codings = codings
    this.now = now
  }

  serve(x: Exchange, file: SiteFile, status: number): Verdict {
    const form = this.formFor(x, file)
    if (status === 200) {
      const decided = this.judge(x, file, form)
      if (decided !== 200) return conditional(x, decided, form)
      if (x.request.has(NAME.range)) {
        const ranges = this.rangesOf(x, file, form)
        if (ranges === "unsatisfiable") return unsatisfiable(x, form)
        if (ranges !== null) return serveRanges(x, file, { form, ranges })
      }
    }
    if (form.content !== null) {
      setLocalResponse(x, status, form.lines, form.content)
      return ANSWER
    }
    return stream(x, { form, status, lines: form.lines, length: form.size, runs: [{ text: "", first: 0, length: form.size }] })
  }

  /** The best form for this client. */
  private formFor(x: Exchange, { plain, siblings }: SiteFile): FileForm {
    const { codings } = this
    if (codings === null || siblings.length === 0) return plain
    const wanted = codings.of(x.request.joined(NAME.acceptEncoding))
    for (let i = 0; i < wanted.length; i++) {
      const form = siblings[wanted[i]!]!
      if (form !== null) return form
    }
    return plain
  }

  /** 200, 304 or 412 (RFC 9110 section 13.2.2). */
  private judge(x: Exchange, { lastModified }: SiteFile, { tag }: FileForm): number {
    const { request } = x
    const match = request.has(NAME.ifMatch) ? request.joined(NAME.ifMatch) : ""
    if (match !== "") {
      if (!entityTagMatches(match, tag, true)) return 412
    } else if (request.has(NAME.ifUnmodifiedSince)) {
      if (parseHttpDate(lastModified, 0) > parseHttpDate(request.get(NAME.ifUnmodifiedSince), this.now())) return 412
    }
    if (!request.has(NAME.ifNoneMatch) && !request.has(NAME.ifModifiedSince)) return 200
    const conditions = {
      ifNoneMatch: request.joined(NAME.ifNoneMatch),
      ifModifiedSince: request.get(NAME.ifModifiedSince),
      ifMatch: "",
      ifUnmodifiedSince: "",
      ifRange: "",
      range: "",
    }
    const stored = { etag: tag, lastModified, date: "", status: 200 }
    return evaluateConditions(conditions, stored, this.now()) === "ok" ? 200 : 304
  }

  private rangesOf(x: Exchange, { lastModified }: SiteFile, { tag, size }: FileForm): readonly ByteRange[] | "unsatisfiable" | null {
    const { request } = x
    if (x.method !== "GET") return null
    const ifRange = request.has(NAME.ifRange) ? request.get(NAME.ifRange) : ""
    const stored = { etag: tag, lastModified, date: httpDate(), status: 200 }
    if (!rangeApplies(ifRange, stored, this.now())) return null
    return parseRange(request.joined(NAME.range), size)
  }
}

function serveRanges(x: Exchange, file: SiteFile, { form, ranges }: { form: FileForm; ranges: readonly ByteRange[] }): Verdict {
  const { lines, runs, length } = rangeRuns(form, ranges, file.type)
  if (form.content === null) return stream(x, { form, status: 206, lines, length, runs })
  const { content } = form
  const first = runs[0]!
  const body = runs.length === 1 ? content.subarray(first.first, first.first + first.length) : joinRuns(content, runs, length)
  setLocalResponse(x, 206, lines, body)
  return ANSWER
}

function joinRuns(content: Buffer, runs: readonly BodyRun[], length: number): Buffer {
  const body = Buffer.allocUnsafe(length)
  let at = 0
  for (let i = 0; i < runs.length; i++) {
    const run = runs[i]!
    at += body.write(run.text, at, "latin1")
    at += content.copy(body, at, run.first, run.first + run.length)
  }
  return body
}

interface Streamed {
  readonly form: FileForm
  readonly status: number
  readonly lines: string
  readonly length: number
  readonly runs: readonly BodyRun[]
}

/** The head now, the body as the client takes it. The file may be another one by now: then its octets are those that are there, as long as they last. */
function stream(x: Exchange, { form, status, lines, length, runs }: Streamed): Verdict {
  if (x.method === "HEAD") {
    setLocalResponse(x, status, lines, null)
    x.responseBody = BODY_LENGTH
    x.responseLength = length
    return ANSWER
  }
  let fd = -1
  try {
    fd = openSync(form.path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch {
    return missing(x)
  }
  if (!isStill(fd, form)) {
    closeSync(fd)
    return missing(x)
  }
  x.status = status
  x.reason = reasonOf(status)
  x.response.reset("")
  x.response.extra = `Date: ${httpDate()}\r\n${lines}`
  x.responseBody = BODY_LENGTH
  x.responseLength = length
  x.up = new FileSource(x, fd, runs)
  return NEXT
}

/** Whether it is the file whose length and tag have been said. */
function isStill(fd: number, { size, inode, modifiedMs }: FileForm): boolean {
  const now = fstatSync(fd)
  return now.size === size && now.ino === inode && Math.floor(now.mtimeMs) === modifiedMs
}

function conditional(x: Exchange, status: number, form: FileForm): Verdict {
  setLocalResponse(x, status, form.lines, null)
  return ANSWER
}

function unsatisfiable(x: Exchange, form: FileForm): Verdict {
  setLocalResponse(x, 416, `Content-Range: bytes */${form.size}\r\nAccept-Ranges: bytes\r\n`, null)
  return ANSWER
}
