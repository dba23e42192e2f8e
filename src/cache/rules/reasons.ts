/** Why a response was stored or not: the words of logs, of Cache-Status and of `bothways cache report`. */
export type Reason =
  | "stored"
  | "method"
  | "request-body"
  | "request-no-store"
  | "status"
  | "partial"
  | "no-store"
  | "private"
  | "authorization"
  | "cookie"
  | "vary-star"
  | "set-cookie"
  | "too-large"
  | "content-mismatch"
  | "no-freshness"

export interface ReasonText {
  readonly meaning: string
  /** What to change where it should be stored. */
  readonly remedy: string
}

/** Every reason, in the order in which they are looked at. */
export const REASONS: Readonly<Record<Reason, ReasonText>> = Object.freeze({
  stored: { meaning: "The response was stored.", remedy: "Nothing." },
  method: {
    meaning:
      "Answers to this request method are not stored: GET is, QUERY where the key covers its content, POST with a lifetime and its own Content-Location.",
    remedy: "Ask with GET.",
  },
  "request-body": {
    meaning: "The request had content that is no part of the key, and the answer may depend on it.",
    remedy: "Send GET without content, or let the key of QUERY cover the content.",
  },
  "request-no-store": {
    meaning: "The client asked with Cache-Control: no-store.",
    remedy: "Let the cache ignore what clients ask, if they are not trusted with it.",
  },
  status: {
    meaning: "Responses with this status are not stored, or only by a cache that knows the status (must-understand).",
    remedy: "Answer with another status.",
  },
  partial: {
    meaning: "The response is a part (206) that does not say clearly which, that nobody asked for, or parts are not stored here.",
    remedy: "Let the server send one valid Content-Range, and a Content-Length that fits it.",
  },
  "no-store": {
    meaning: "The response says no-store.",
    remedy: "Take no-store out of its Cache-Control where the answer is the same for everybody.",
  },
  private: {
    meaning: "The response says private: it is for one user.",
    remedy: "Say public, or name the fields that are private, where the rest is the same for everybody.",
  },
  authorization: {
    meaning: "The request had Authorization, and the response does not say that others may have it.",
    remedy: "Say public, s-maxage or must-revalidate in its Cache-Control where the answer is the same for everybody.",
  },
  cookie: {
    meaning: "The request had a Cookie, and the response does not say itself how long it is fresh: it may be for this user only.",
    remedy: "Say max-age or s-maxage in its Cache-Control, or remove the Cookie before the cache.",
  },
  "vary-star": {
    meaning: "Its Vary is *, not valid, or names too many fields: it is not known which requests it answers.",
    remedy: "Let Vary name the request fields that the answer depends on.",
  },
  "set-cookie": {
    meaning: "The response sets a cookie, which everybody would get.",
    remedy: "Do not set it on what is to be cached; or say public; or let the cache strip it.",
  },
  "too-large": { meaning: "The response is larger than an entry may be.", remedy: "Raise the limit of the store." },
  "content-mismatch": {
    meaning: "The path looks like a static file and the response is of another type: a page, perhaps of one user, under a name that is not its own.",
    remedy: "Let the server refuse such paths, or say itself how long the response is fresh.",
  },
  "no-freshness": {
    meaning: "Nothing says how long the response is fresh, and it has no validator to ask again with.",
    remedy: "Say max-age in its Cache-Control, send ETag or Last-Modified, or configure a lifetime.",
  },
})
