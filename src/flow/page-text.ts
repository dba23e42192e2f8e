/** A page in which words are filled in. */
export interface PageText<T> {
  /** Content type. */
  readonly type: string
  render(of: T): string
}

/**
 * Makes a page of a text in which `${word}` stands for what `words` say; other dollar signs stay, for scripts have theirs. Where the page is HTML the values are
 * escaped for it, where it is JSON for a string. `type` null: HTML when it begins with a tag, JSON with a brace, else text.
 */
export function compilePageText<T>(text: string, type: string | null, words: Readonly<Record<string, (of: T) => string>>): PageText<T> {
  const kind = type ?? guess(text)
  const escape = /html|xml/i.test(kind) ? escapeHtml : /json/i.test(kind) ? escapeJson : (value: string) => value
  const parts = text.split(/\$\{([A-Za-z]+)\}/)
  return {
    type: kind,
    render: of =>
      parts
        .map((part, i) => {
          if (i % 2 === 0) return part
          return Object.hasOwn(words, part) ? escape(words[part]!(of)) : `\${${part}}`
        })
        .join(""),
  }
}

function guess(text: string): string {
  const start = text.trimStart().slice(0, 1)
  return start === "<" ? "text/html; charset=utf-8" : start === "{" || start === "[" ? "application/json" : "text/plain; charset=utf-8"
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"'`]/g, character => `&#${character.charCodeAt(0)};`)
}

function escapeJson(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}
