import { HIDDEN, hideCards } from "./hide-cards.ts"

// All of these take time linear in the text, and none repeats a group for each character: the engine gives up on those and says that there is no match.
// Credentials as RFC 9110 section 11.4 and RFC 6750 write them; JSON web tokens (RFC 7519); keys as PEM; forms that services give to their keys.
const bearer = /\b(bearer|dpop|negotiate)(\s+|%20|\+)[A-Za-z0-9._~+/=%-]+/gi
const credentials = /\b(basic|digest|token|apikey)(\s+|%20|\+)([A-Za-z0-9._~+/=%-]{6,})/gi
export const webToken = /\beyJ[A-Za-z0-9_-]{3,}(?:\.[A-Za-z0-9_-]*){0,4}/g
export const privateKey = /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?/g
export const serviceKey =
  /\b(?:AKIA|ASIA)[0-9A-Z]{12,}|\bgh[pousr]_[A-Za-z0-9]{16,}|\bxox[abposr]-[A-Za-z0-9-]{8,}|\b[sr]k[-_](?:live|test|proj|ant)[-_][A-Za-z0-9_-]{8,}/g
const userInfo = /(\b[a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/@"'<>]{1,256}@/gi

/** Hides what looks like a secret by itself, whatever its name. `isCut`: the text goes on where it cannot be seen. */
export function hidePatterns(text: string, isCut = false): string {
  const plain = text
    .replace(privateKey, HIDDEN)
    .replace(bearer, `$1 ${HIDDEN}`)
    .replace(credentials, (whole, scheme: string, _gap, value: string) => (isRandom(value) ? `${scheme} ${HIDDEN}` : whole))
    .replace(webToken, HIDDEN)
    .replace(serviceKey, HIDDEN)
    .replace(userInfo, `$1${HIDDEN}@`)
  return hideCards(plain, isCut)
}

/** A word of a language has neither digits nor capitals inside. */
function isRandom(value: string): boolean {
  return /[0-9=_~+/%]|[a-z][A-Z]/.test(value)
}
