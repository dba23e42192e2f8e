import { z } from "zod"
import { defineFilter } from "../../plugin/index.ts"
import { BasicLogin, htpasswdOption, realmOption } from "../basic-login.ts"

export default defineFilter({
  name: "basic-auth",
  summary: "Clients of a site must give a user and a password (Authorization, RFC 7617).",
  options: z.strictObject({
    htpasswd: htpasswdOption,
    realm: realmOption.default("restricted"),
    keepAuthorization: z.boolean().default(false).describe("Passes Authorization on to the peer instead of removing it."),
  }),
  build({ htpasswd, realm, keepAuthorization }, deps) {
    const login = new BasicLogin({ htpasswd, realm, keepField: keepAuthorization }, deps)
    return { access: x => login.access(x), describe: () => login.describe() }
  },
})
