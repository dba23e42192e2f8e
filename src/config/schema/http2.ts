import { z } from "zod"
import { duration, field, size } from "../../base/index.ts"
import type { H2PeerTuning, H2Tuning } from "../../http/index.ts"

const MB = 1024 ** 2
/** More than one octet of padding length can say is none (RFC 9113 section 6.1). */
const PAD_TO = 256

const windows = {
  streamWindow: field(
    size({ min: 64 * 1024, max: 64 * MB }),
    "128KB",
    "Octets that the other side may send ahead on one stream: what one download or upload gets through in a round trip, and what a paused one may cost.",
  ),
  connectionWindow: field(size({ min: 64 * 1024, max: 1024 * MB }), "1MB", "The same of all streams of a connection together."),
  padding: field(
    z.boolean(),
    false,
    "Pads what is sent to a multiple of 256 octets a frame, so that whoever sees the encrypted connection learns less of its sizes. Not of times and amounts.",
  ),
}

const clusterHttp2Long = z.strictObject({
  ...windows,
  pingAfter: field(
    duration({ min: 1000 }),
    "30s",
    "A peer that is silent for so long while requests are under way is asked whether it is there (PING).",
  ),
  pongWithin: field(duration({ min: 500 }), "15s", "How long its answer may take; then the connection is given up."),
  pingIdle: field(z.boolean(), false, "Asks also while no request is under way: a way that is dead is noticed before it is needed."),
})

/** HTTP/2 towards peers. */
export const clusterHttp2Schema = clusterHttp2Long

const listenerHttp2Long = z.strictObject(windows)

// `true` means the long form with nothing in it.
/** HTTP/2 towards clients; null = it is not spoken. */
export const listenerHttp2Schema = z.union([
  z.literal(false).transform((): null => null),
  z.literal(true).transform((): z.output<typeof listenerHttp2Long> => listenerHttp2Long.parse({})),
  listenerHttp2Long,
])

export function h2TuningOf({ streamWindow, connectionWindow, padding }: z.output<typeof listenerHttp2Long>): H2Tuning {
  return { streamWindow, connectionWindow, padTo: padding ? PAD_TO : 0 }
}

export function h2PeerTuningOf(settings: z.output<typeof clusterHttp2Long>): H2PeerTuning {
  const { pingAfter, pongWithin, pingIdle } = settings
  return { ...h2TuningOf(settings), pingAfterMs: pingAfter, pongWithinMs: pongWithin, pingIdle }
}
