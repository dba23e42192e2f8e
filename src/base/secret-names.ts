// What a name of a secret ends in, and names that are secrets only as a whole; letters and digits only, lower case.
const endings = ["token", "password", "passwd", "passphrase", "secret", "apikey", "accesskey", "privatekey", "signature", "credential", "credentials"]
const names = new Set([
  ...["key", "pass", "pwd", "pw", "sig", "auth", "authorization", "jwt", "sid", "session", "sessionid", "otp", "pin", "assertion", "samlresponse"],
  ...["cardnumber", "ccnumber", "creditcard", "cvv", "cvv2", "cvc", "cvc2", "ssn"],
])

/** A name without case and punctuation, so that `api_key`, `apiKey` and `api-key` are one. */
export function bareName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "")
}

/** Whether a bare name of a parameter, field or member says that its value is a secret. */
export function isSecretName(bare: string): boolean {
  return names.has(bare) || endings.some(ending => bare.endsWith(ending))
}
