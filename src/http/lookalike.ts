// HOT

/** Is it Content-Length or Transfer-Encoding but for its separators? */
export function isLookalike(text: string, start: number, end: number): boolean {
  if (end - start < 14) return false
  const first = text.charCodeAt(start) | 32
  if (first === 99) return hasLetters(text, start, end, "contentlength")
  return first === 116 && hasLetters(text, start, end, "transferencoding")
}

function hasLetters(text: string, start: number, end: number, letters: string): boolean {
  let at = 0
  for (let i = start; i < end; i++) {
    const lower = text.charCodeAt(i) | 32
    if (lower === letters.charCodeAt(at)) at++
    else if ((lower >= 97 && lower <= 122) || (lower >= 48 && lower <= 57)) return false
  }
  return at === letters.length
}
