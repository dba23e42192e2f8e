/** Reads the answers of one kept connection, which must be 200 with a length. `answered` is called behind each one. */
export function readAnswers(answered: () => void, fail: (error: Error) => void): (chunk: Buffer) => void {
  let head = ""
  let left = -1
  return chunk => {
    let bodyStart = 0
    if (left < 0) {
      head += chunk.toString("latin1")
      const end = head.indexOf("\r\n\r\n")
      if (end < 0) return
      if (!head.startsWith("HTTP/1.1 200 ")) return fail(new Error(head))
      left = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1])
      bodyStart = chunk.length - (head.length - end - 4)
      head = ""
    }
    left -= chunk.length - bodyStart
    if (left > 0) return
    left = -1
    answered()
  }
}
