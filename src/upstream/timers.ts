/** Timers of the control thread, behind an interface so that tests can hold the hands. The data path has its own wheel. */
export interface Timers {
  /** Runs `run` once after `ms` milliseconds. Returns how to call that off. */
  after(ms: number, run: () => void): () => void
}

/** The runtime's timers. They do not keep the process alive. */
export const systemTimers: Timers = {
  after(ms, run) {
    const timer = setTimeout(run, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
