/** A broken invariant: a programmer's error. It ends the exchange that met it, never the process. */
export class AssertionError extends Error {
  override name = "AssertionError"
}

/** States an invariant. Stays on in production; keep `message` a literal so that the passing case costs a branch. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}
