/** What the process ends with. Documented in `bothways --help`; scripts rely on it. */
export const EXIT = {
  ok: 0,
  /** Something went wrong at run time. */
  failed: 1,
  /** The config, or the command line, is wrong. */
  badConfig: 2,
  /** An address that a listener needs is taken, or may not be bound. */
  portTaken: 3,
  /** There is no running instance at the admin address, or it refuses us. */
  noInstance: 4,
  /** Ended at once by the second Ctrl-C. */
  interrupted: 130,
} as const
