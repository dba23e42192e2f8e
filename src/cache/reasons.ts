import { REASONS, type ReasonText } from "./rules/reasons.ts"

/** Why a request was not answered from the cache, beside what the rules say of responses. */
const OF_REQUESTS: Readonly<Record<string, ReasonText>> = {
  rule: { meaning: "A rule of the route's `bypass` holds.", remedy: "Change the rule." },
  upgrade: { meaning: "The request asks for another protocol (Upgrade).", remedy: "Nothing: a tunnel is not stored." },
  condition: { meaning: "The request has If-Match or If-Unmodified-Since, which only the origin can judge.", remedy: "Nothing." },
  busy: { meaning: "What was asked for changed again and again while this request looked.", remedy: "Nothing, if it is seldom." },
  "min-uses": { meaning: "It has been asked for less often than `minUses`.", remedy: "Lower `minUses`." },
  "no-room": {
    meaning: "There was no room in the memory of the cache, or another thread was storing the same.",
    remedy: "Give the cache more memory.",
  },
  coding: {
    meaning: "It was asked for without Accept-Encoding, to be cut into slices, and with it would have been another answer.",
    remedy: "Nothing: the next request for it stores it.",
  },
  "no-slices": {
    meaning: "The server does not answer ranges of it with a strong validator and its length, so that it is not cut into slices for a while.",
    remedy: "Let the server send ETag or Last-Modified and answer Range, or take `slice` out where bodies are small.",
  },
  purged: { meaning: "It was purged, or changed by another request, while it was fetched.", remedy: "Nothing." },
  "coalesce-timeout": {
    meaning: "The request that fetched it took longer than `coalesce.wait`.",
    remedy: "Raise `coalesce.wait`, or look at why the server is slow.",
  },
  "only-if-cached": { meaning: "The client wants a stored answer only, and there is none.", remedy: "Nothing: the client asked for it." },
  error: { meaning: "The server failed.", remedy: "Allow stale answers for a while: `staleIfError`." },
  validator: {
    meaning: "The server said 304 to a validator that it was not asked about.",
    remedy: "Look at the ETag and Last-Modified that the server sends.",
  },
}

/** Every word of `cacheReason` in the log, with its meaning and what to do about it; also of Cache-Status and `bothways cache report`. */
export const CACHE_REASONS: Readonly<Record<string, ReasonText>> = Object.freeze({ ...REASONS, ...OF_REQUESTS })
