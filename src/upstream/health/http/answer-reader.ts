const HEAD_OCTETS_MAX = 32 * 1024
/** What is read of a body; a longer one counts as read. */
const BODY_OCTETS_MAX = 256 * 1024

const NEED_MORE = -1
const LENGTH_UNKNOWN = -1

/**
 * Reads one HTTP/1.1 answer as far as a probe needs it: the status, and where the body ends (RFC 9112 section 6.3).
 * The body is held as text only for its chunk lines, and never more than the limit.
 */
export class AnswerReader {
  /** 0 until the head is there. */
  status = 0
  /** The answer is complete. */
  done = false
  /** What is wrong with it, or "". */
  fault = ""
  private text = ""
  private seen = 0
  private length = LENGTH_UNKNOWN
  private chunked = false
  /** Octets of body text before this place are dealt with. */
  private at = 0

  push(chunk: Buffer): void {
    if (this.done || this.fault !== "") return
    this.text += chunk.toString("latin1")
    while (this.status === 0 && this.fault === "") if (!this.readHead()) return
    this.readBody()
  }

  /** The peer sends no more: the end of a body without length, a fault anywhere else. */
  end(): void {
    if (this.done || this.fault !== "") return
    if (this.status === 0) this.fault = "the peer closed the connection before it answered"
    else if (this.chunked || this.length !== LENGTH_UNKNOWN) this.fault = "the peer closed the connection in the middle of the body"
    else this.done = true
  }

  /** False when there is more to come. Interim answers are passed over (RFC 9110 section 15.2). */
  private readHead(): boolean {
    const end = this.text.indexOf("\r\n\r\n")
    if (end > HEAD_OCTETS_MAX || (end === -1 && this.text.length > HEAD_OCTETS_MAX)) {
      this.fault = "the head of the answer is over 32 KB"
      return false
    }
    if (end === -1) return false
    const lines = this.text.slice(0, end).split("\r\n")
    this.text = this.text.slice(end + 4)
    const found = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(lines[0]!)
    if (found === null) {
      this.fault = "the answer is not HTTP/1.1"
      return false
    }
    const status = Number(found[1])
    if (status >= 100 && status < 200 && status !== 101) return true
    this.readFields(lines)
    this.status = status
    if (status === 101 || status === 204 || status === 304) this.length = 0
    return true
  }

  private readFields(lines: readonly string[]): void {
    for (let index = 1; index < lines.length; index++) {
      const line = lines[index]!
      const colon = line.indexOf(":")
      const name = line.slice(0, colon).toLowerCase()
      const value = line.slice(colon + 1).trim()
      if (name === "transfer-encoding" && value.toLowerCase().endsWith("chunked")) this.chunked = true
      if (name === "content-length" && /^\d{1,15}$/.test(value)) this.length = Number(value)
    }
    if (this.chunked) this.length = LENGTH_UNKNOWN
  }

  private readBody(): void {
    if (this.fault !== "") return
    if (this.chunked) return this.readChunks()
    this.seen += this.text.length
    this.text = ""
    if (this.seen >= BODY_OCTETS_MAX || (this.length !== LENGTH_UNKNOWN && this.seen >= this.length)) this.done = true
  }

  private readChunks(): void {
    while (!this.done && this.fault === "") {
      const next = this.nextChunk()
      if (next === NEED_MORE) break
      this.at = next
    }
    if (this.text.length >= BODY_OCTETS_MAX) this.done = true
  }

  /** Where the next chunk begins, NEED_MORE when this one is not there whole. The last one is followed by trailers and an empty line. */
  private nextChunk(): number {
    const lineEnd = this.text.indexOf("\r\n", this.at)
    if (lineEnd === -1) return NEED_MORE
    const size = /^([0-9A-Fa-f]{1,8})[ \t]*(?:;|$)/.exec(this.text.slice(this.at, Math.min(lineEnd, this.at + 64)))
    if (size === null) {
      this.fault = "the chunks of the answer are malformed"
      return NEED_MORE
    }
    const octets = Number.parseInt(size[1]!, 16)
    if (octets === 0) {
      this.done = this.text.indexOf("\r\n\r\n", lineEnd) !== -1
      return NEED_MORE
    }
    const next = lineEnd + 2 + octets + 2
    return next <= this.text.length ? next : NEED_MORE
  }
}
