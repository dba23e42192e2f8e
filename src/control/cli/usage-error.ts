/** The command line asks for something that makes no sense; exit code 2, one line, no stack. */
export class UsageError extends Error {
  override name = "UsageError"
}
