// HOT
import type { Exchange } from "../../flow/index.ts"
import { BODY_LENGTH, BODY_NONE, parseContentRange } from "../../http/index.ts"
import { fieldText } from "../headers/edit-fields.ts"
import { statusTest } from "../keyed/status-list.ts"
import type { ResponseOptions } from "./policy-options.ts"

/** The answer does not say how long it is. */
export const UNKNOWN_LENGTH = -1

/** Octets that the answer has, or would have for GET; of a part, those of the whole (RFC 9110 section 14.4). UNKNOWN_LENGTH when it does not say. */
export function lengthOf(x: Exchange): number {
  if (x.status === PARTIAL) return wholeLength(x)
  if (x.responseBody === BODY_LENGTH) return x.responseLength
  const told = fieldText(x.response, "content-length")
  if (told !== "") return Number(told)
  return x.responseBody === BODY_NONE && x.method !== "HEAD" ? 0 : UNKNOWN_LENGTH
}

const PARTIAL = 206

/** Somebody who fetches a large file in small parts fetches a large file. */
function wholeLength(x: Exchange): number {
  const range = parseContentRange(fieldText(x.response, "content-range"))
  return range === null ? UNKNOWN_LENGTH : range.length
}

/** Conditions of a rule on the head of an answer. */
export class AnswerTest {
  /** An answer of unknown length is cut off when it has as many octets; -1 = never. */
  readonly cutAt: number
  private readonly types: readonly string[] | null
  private readonly extensions: ReadonlySet<string> | null
  private readonly bytesMin: number
  private readonly bytesMax: number
  private readonly status: ((status: number) => boolean) | null

  constructor({ type, extension, bytesMin, bytesMax, status }: ResponseOptions) {
    this.types = type
    this.extensions = extension === null ? null : new Set(extension)
    this.bytesMin = bytesMin ?? -1
    this.bytesMax = bytesMax ?? -1
    this.status = status === null ? null : statusTest(status)
    this.cutAt = bytesMin !== null && bytesMax === null ? bytesMin : -1
  }

  /** All but the length. */
  mayHold(x: Exchange): boolean {
    if (this.status !== null && !this.status(x.status)) return false
    if (this.types !== null && !this.isType(fieldText(x.response, "content-type"))) return false
    return this.extensions === null || this.isNamed(x)
  }

  lengthHolds(length: number): boolean {
    if (this.bytesMin >= 0 && length < this.bytesMin) return false
    return this.bytesMax < 0 || (length !== UNKNOWN_LENGTH && length <= this.bytesMax)
  }

  private isType(value: string): boolean {
    const semicolon = value.indexOf(";")
    const type = (semicolon < 0 ? value : value.substring(0, semicolon)).trim().toLowerCase()
    const types = this.types!
    for (let i = 0; i < types.length; i++) {
      const wanted = types[i]!
      if (wanted === type || wanted === "*/*") return true
      if (wanted.endsWith("/*") && type.startsWith(wanted.substring(0, wanted.length - 1))) return true
    }
    return false
  }

  private isNamed(x: Exchange): boolean {
    const extensions = this.extensions!
    if (extensions.has(extensionOf(x.rulePath))) return true
    const disposition = fieldText(x.response, "content-disposition")
    return disposition !== "" && extensions.has(extensionOf(fileNameOf(disposition)))
  }
}

function extensionOf(path: string): string {
  const dot = path.lastIndexOf(".")
  return dot < 0 || path.indexOf("/", dot) >= 0 ? "" : path.substring(dot + 1).toLowerCase()
}

/** The name in Content-Disposition (RFC 6266): that of `filename*` before that of `filename`. */
function fileNameOf(disposition: string): string {
  const found = /filename\*\s*=\s*[^']*'[^']*'([^;]*)/i.exec(disposition) ?? /filename\s*=\s*"?([^";]*)/i.exec(disposition)
  return found === null ? "" : found[1]!.trim()
}
