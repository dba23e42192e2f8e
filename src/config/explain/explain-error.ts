/** The question makes no sense; the message says what was expected. */
export class ExplainError extends Error {
  override name = "ExplainError"
}
