import { defineFilter } from "../../plugin/index.ts"
import { Login } from "./login.ts"
import { loginClusters, loginOptions, loginProblems } from "./login-options.ts"

export default defineFilter({
  name: "proxy-auth",
  summary:
    "Forward clients must say who they are (Proxy-Authorization, RFC 9110 section 11.7): password, digest, token, certificate, directory or service.",
  options: loginOptions,
  build(options, deps) {
    const login = new Login(options, deps)
    return { identify: x => login.identify(x), access: x => login.access(x), describe: () => login.describe() }
  },
  clusters: loginClusters,
  problems: loginProblems,
})
