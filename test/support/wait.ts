/** How long a test waits for anything before it says what did not happen. */
export const patienceMs = 5000

/** Waits until `condition` gives something truthy and returns that. Fails after `ms` with `what` did not happen. */
export async function until<T>(condition: () => T | Promise<T>, ms = patienceMs, what = "the condition"): Promise<NonNullable<T>> {
  const deadline = performance.now() + ms
  while (true) {
    const value = await condition()
    if (value) return value as NonNullable<T>
    if (performance.now() > deadline) throw new Error(`${what} did not happen within ${ms} ms`)
    await pause(5)
  }
}

/** Only where time itself is what a test is about; to wait for something use `until`. */
export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

/** Settles as `promise` does, or fails after `ms`. */
export function within<T>(promise: Promise<T>, ms: number, what: () => string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`${what()} within ${ms} ms`)), ms)
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
