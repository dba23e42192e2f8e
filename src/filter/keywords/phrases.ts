/** A phrase and what it counts. */
export interface Phrase {
  readonly words: readonly string[]
  readonly score: number
}

/** A phrase is as many words as this at the most. */
export const PHRASE_WORDS_MAX = 8
export const PHRASES_MAX = 200_000

const word = /[\p{L}\p{N}]+/gu

/** The words of a text in one form: NFKC, lower case. */
export function wordsOf(text: string): string[] {
  return text.normalize("NFKC").toLowerCase().match(word) ?? []
}

/**
 * Reads lines: `phrase of words`, or `phrase of words = 40` with what it counts, below zero to speak for a page; # begins a comment. What a phrase counts
 * otherwise is `score`. Throws when a line makes no sense, with its number.
 */
export function readPhrases(text: string, score: number): Phrase[] {
  const phrases: Phrase[] = []
  for (const [i, line] of text.split("\n").entries()) {
    const plain = line.replace(/#.*/, "").trim()
    if (plain === "") continue
    phrases.push(readPhrase(plain, score, `line ${i + 1}`))
    if (phrases.length > PHRASES_MAX) throw new Error(`more than ${PHRASES_MAX} phrases`)
  }
  return phrases
}

export function readPhrase(text: string, score: number, place: string): Phrase {
  const [, said = "", own] = /^(.*?)(?:\s*=\s*(-?\d{1,6}))?$/.exec(text)!
  const words = wordsOf(said)
  if (words.length === 0) throw new Error(`${place}: ${JSON.stringify(text)} has no word in it`)
  if (words.length > PHRASE_WORDS_MAX) throw new Error(`${place}: a phrase has at most ${PHRASE_WORDS_MAX} words`)
  return { words, score: own === undefined ? score : Number(own) }
}

/** Phrases by their last word: the text is read once, and each of its words asks one map. */
export class PhraseTable {
  private readonly byLast = new Map<string, Phrase[]>()
  readonly size: number

  constructor(phrases: readonly Phrase[]) {
    this.size = phrases.length
    for (const phrase of phrases) {
      const last = phrase.words.at(-1)!
      const known = this.byLast.get(last)
      if (known === undefined) this.byLast.set(last, [phrase])
      else known.push(phrase)
    }
  }

  endingIn(last: string): readonly Phrase[] | undefined {
    return this.byLast.get(last)
  }
}

/** Adds up what the phrases of one text count, each once. */
export class PhraseCount {
  score = 0
  /** The phrase that counted most so far. */
  first = ""
  private most = 0
  private readonly table: PhraseTable
  private readonly recent: string[] = []
  private readonly seen = new Set<Phrase>()

  constructor(table: PhraseTable) {
    this.table = table
  }

  take(words: readonly string[]): void {
    const { recent } = this
    for (const one of words) {
      recent.push(one)
      if (recent.length > PHRASE_WORDS_MAX) recent.shift()
      const phrases = this.table.endingIn(one)
      if (phrases !== undefined) for (const phrase of phrases) if (this.stands(phrase)) this.count(phrase)
    }
  }

  private stands({ words }: Phrase): boolean {
    const { recent } = this
    const from = recent.length - words.length
    return from >= 0 && words.every((one, i) => recent[from + i] === one)
  }

  private count(phrase: Phrase): void {
    if (this.seen.has(phrase)) return
    this.seen.add(phrase)
    this.score += phrase.score
    if (phrase.score <= this.most) return
    this.most = phrase.score
    this.first = phrase.words.join(" ")
  }
}
