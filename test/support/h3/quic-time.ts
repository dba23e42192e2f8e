import { startWheel, systemClock, TimerWheel } from "../../../src/base/index.ts"
import type { Time } from "../../../src/net/index.ts"

const wheel = new TimerWheel(systemClock.now(), 10)
startWheel(wheel, systemClock)

/** Real time, for the QUIC connections of tests. */
export const quicTime: Time = { clock: systemClock, wheel }
