import { spawnSync } from "node:child_process"
import { accessSync, constants, existsSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

// What tests talk to, by command, and the Debian package that brings it.
const needed = {
  nginx: "nginx",
  haproxy: "haproxy",
  squid: "squid",
  curl: "curl",
  wrk: "wrk",
  h2load: "nghttp2-client",
  "php-fpm8.2": "php-fpm",
  ab: "apache2-utils",
  openssl: "openssl",
  ss: "iproute2",
  chromium: "chromium",
  gtlsclient: "ngtcp2-client",
  gtlsserver: "ngtcp2-server",
  pebble: "pebble",
  slowhttptest: "slowhttptest",
  slapd: "slapd",
  ldapadd: "ldap-utils",
  "c-icap": "c-icap",
  nft: "nftables",
  tcpdump: "tcpdump",
  certutil: "libnss3-tools",
}

/** Installs what is missing where that is allowed: as root, with apt-get. Gives the commands that are still missing. */
export function bringPackages(commands = Object.keys(needed)) {
  const missing = commands.filter(command => !isInstalled(command))
  if (missing.length === 0) return []
  const packages = missing.map(command => needed[command] ?? command)
  if (process.getuid?.() !== 0 || !isInstalled("apt-get")) {
    console.log(`missing: ${missing.join(", ")}; as root: apt-get install --no-install-recommends ${packages.join(" ")}`)
    return missing
  }
  console.log(`installing ${packages.join(", ")}`)
  withoutServices(() => {
    apt("update")
    apt("install", "-y", "--no-install-recommends", ...packages)
  })
  return missing.filter(command => !isInstalled(command))
}

export function isInstalled(command) {
  const folders = `${process.env.PATH}:/usr/sbin:/sbin`.split(":")
  return folders.some(folder => folder !== "" && isExecutable(join(folder, command)))
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function apt(...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  const { status, stderr, stdout } = spawnSync("apt-get", ["-q", ...args], { env, encoding: "utf8", timeout: 300_000 })
  if (status !== 0) console.log(`apt-get ${args[0]} failed:\n${(stdout + stderr).slice(-2000)}`)
}

/** Debian starts a service when its package is installed, on ports of its own choice; this says no while `install` runs, in the way Debian provides for it. */
function withoutServices(install) {
  const policy = "/usr/sbin/policy-rc.d"
  const ours = !existsSync(policy)
  if (ours) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 })
  try {
    install()
  } finally {
    if (ours) rmSync(policy)
  }
}
