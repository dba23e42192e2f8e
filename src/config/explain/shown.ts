/** Octets, one character each, as text to look at: UTF-8 where they are, control characters escaped so that no terminal obeys them. */
export function shown(octets: string): string {
  const isPlain = /^[\x20-\x7e]*$/.test(octets)
  return isPlain ? octets : plain(Buffer.from(octets, "latin1").toString("utf8"))
}

/** The same for what is text already. */
export function plain(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, character => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`)
}

/** `1 peer`, `2 peers`. */
export function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`
}
