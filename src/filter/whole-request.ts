import type { Exchange } from "../flow/index.ts"
import { BODY_LENGTH, BODY_NONE, BODY_TUNNEL, NAME } from "../http/index.ts"

/** The request has a body that a filter may look at. */
export function hasRequestBody(x: Exchange): boolean {
  return x.requestBody !== BODY_NONE && x.requestBody !== BODY_TUNNEL
}

/**
 * Waits until all of the request's body stands in `x.pump.kept`; false = it has more than `bytesMax` octets, and what has come stands there. For an asynchronous
 * request phase, whose exchange may be over when it settles.
 */
export function wholeRequest(x: Exchange, bytesMax: number): Promise<boolean> {
  const { pump } = x
  if (pump.requestEnded) return Promise.resolve(pump.keptBytes <= bytesMax)
  if (x.requestBody === BODY_LENGTH && x.requestLength > bytesMax) return Promise.resolve(false)
  pump.aheadBytesMax = Math.max(bytesMax, pump.aheadBytesMax)
  // Nobody else would ask for it.
  if (x.expectContinue && !pump.continued && x.down !== null) {
    pump.continued = true
    x.down.continueBody()
    x.request.remove(NAME.expect)
  }
  return new Promise(resolve => {
    pump.bodyWaiter = { bodyCame: () => resolve(pump.requestEnded && pump.keptBytes <= bytesMax) }
    x.down?.resumeBody()
  })
}
