import type { ByteRange } from "../../http/index.ts"
import type { BodyRun } from "./file-source.ts"
import type { FileForm } from "./site-file.ts"

/** A 206 of some ranges of a form: its header lines, its body in runs, and how long that is. */
export interface RangeBody {
  readonly lines: string
  readonly runs: readonly BodyRun[]
  readonly length: number
}

/** One range as it is, several as multipart/byteranges in the order asked (RFC 9110 sections 14.6 and 15.3.7). */
export function rangeRuns(form: FileForm, ranges: readonly ByteRange[], type: string): RangeBody {
  if (ranges.length === 1) {
    const { first, last } = ranges[0]!
    const length = last - first + 1
    return { lines: `${form.lines}Content-Range: bytes ${first}-${last}/${form.size}\r\n`, runs: [{ text: "", first, length }], length }
  }
  const boundary = boundaryOf()
  const runs: BodyRun[] = ranges.map(({ first, last }) => ({
    text: `\r\n--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: bytes ${first}-${last}/${form.size}\r\n\r\n`,
    first,
    length: last - first + 1,
  }))
  runs.push({ text: `\r\n--${boundary}--\r\n`, first: 0, length: 0 })
  const lines = form.lines.replace(/^Content-Type: [^\r]*\r\n/, `Content-Type: multipart/byteranges; boundary=${boundary}\r\n`)
  return { lines, runs, length: runs.reduce((sum, run) => sum + run.text.length + run.length, 0) }
}

/** Unguessable, so that no content can hold it. */
function boundaryOf(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(18))).toString("base64url")
}
