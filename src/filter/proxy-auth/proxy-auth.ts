import { z } from "zod"
import { FAULT } from "../../base/index.ts"
import { NAME } from "../../http/index.ts"
import { defineFilter } from "../../plugin/index.ts"
import { BasicLogin, htpasswdOption, type LoginKind, realmOption } from "../basic-login.ts"

const kind: LoginKind = {
  name: "proxy_auth",
  field: NAME.proxyAuthorization,
  challenge: "Proxy-Authenticate",
  required: FAULT.authRequired,
  repeated: FAULT.authRepeated,
  busy: FAULT.authBusy,
}

export default defineFilter({
  name: "proxy-auth",
  summary: "Forward clients must give a user and a password (Proxy-Authorization, RFC 9110 section 11.7).",
  options: z.strictObject({
    htpasswd: htpasswdOption,
    realm: realmOption.default("proxy"),
  }),
  build(options, deps) {
    const login = new BasicLogin(kind, { ...options, keepField: false }, deps)
    return { identify: x => login.identify(x), access: x => login.access(x), describe: () => login.describe() }
  },
})
