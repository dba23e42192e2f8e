// HOT
import {
  FLOW_CONTROL_ERROR,
  FRAME_BYTES_MAX,
  NO_ERROR,
  PROTOCOL_ERROR,
  SET_CONNECT_PROTOCOL,
  SET_FRAME_SIZE,
  SET_NO_PRIORITIES,
  SET_PUSH,
  SET_STREAMS,
  SET_WINDOW,
  WINDOW_DEFAULT,
  WINDOW_MAX,
} from "./frames.ts"

/** What the other side has said of itself (RFC 9113 section 6.5.2). */
export class PeerSettings {
  /** Octets that it takes ahead on a new stream. */
  window = WINDOW_DEFAULT
  /** Streams of ours that it takes at the same time. */
  streamsMax = Number.POSITIVE_INFINITY
  /** It takes extended CONNECT (RFC 8441 section 3). */
  connects = false
  /** The most that SETTINGS_ENABLE_PUSH may say: 1 of a client, 0 of a server. */
  pushMax = 0
  /** What was said of RFC 7540's priorities; -1 = nothing yet. */
  private noPriorities = -1

  /** Returns NO_ERROR, or why the value is none. */
  set(setting: number, value: number): number {
    switch (setting) {
      case SET_PUSH:
        return value > this.pushMax ? PROTOCOL_ERROR : NO_ERROR
      case SET_STREAMS:
        this.streamsMax = value
        return NO_ERROR
      case SET_WINDOW:
        if (value > WINDOW_MAX) return FLOW_CONTROL_ERROR
        this.window = value
        return NO_ERROR
      case SET_FRAME_SIZE:
        return value < FRAME_BYTES_MAX || value > 0xffffff ? PROTOCOL_ERROR : NO_ERROR
      case SET_CONNECT_PROTOCOL:
        if (value > 1) return PROTOCOL_ERROR
        this.connects = value === 1
        return NO_ERROR
      case SET_NO_PRIORITIES:
        // 0 or 1, and never another than at first (RFC 9218 section 2.1).
        if (value > 1 || (this.noPriorities >= 0 && this.noPriorities !== value)) return PROTOCOL_ERROR
        this.noPriorities = value
        return NO_ERROR
      default:
        return NO_ERROR
    }
  }
}
