const STAR = "*"

/** A text in which `*` stands for any characters, none included. Matches the whole text, in time of its length times the number of pieces at the worst. */
export class TextGlob {
  readonly text: string
  private readonly head: string
  private readonly tail: string
  /** What stands between stars, in order. */
  private readonly pieces: readonly string[]
  private readonly exact: boolean
  private readonly lengthMin: number

  constructor(text: string) {
    const parts = text.split(STAR)
    this.text = text
    this.exact = parts.length === 1
    this.head = parts[0]!
    this.tail = parts[parts.length - 1]!
    this.pieces = parts.slice(1, -1).filter(piece => piece !== "")
    this.lengthMin = this.head.length + this.tail.length
  }

  /** It has no star. */
  get isExact(): boolean {
    return this.exact
  }

  test(text: string): boolean {
    if (this.exact) return text === this.text
    const end = text.length - this.tail.length
    if (text.length < this.lengthMin || !text.startsWith(this.head) || !text.endsWith(this.tail)) return false
    let at = this.head.length
    // The first place of each piece leaves the most room for those behind it, so that nothing is tried twice.
    for (let i = 0; i < this.pieces.length; i++) {
      const piece = this.pieces[i]!
      const found = text.indexOf(piece, at)
      if (found < 0 || found + piece.length > end) return false
      at = found + piece.length
    }
    return true
  }
}
