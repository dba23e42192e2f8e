/** Behind the quote that closes the string which begins at `start` with one like it, or the end of the text. */
export function stringEnd(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i++
    else if (text[i] === text[start]) return i + 1
  }
  return text.length
}
