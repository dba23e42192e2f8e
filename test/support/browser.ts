import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { type Browser, chromium } from "playwright-core"
import { temporaryFolder } from "./processes.ts"

/** A home with a store of authorities (NSS) that holds this one. */
function homeThatTrusts(authority: string): string {
  const home = temporaryFolder("home")
  const store = join(home, ".pki", "nssdb")
  mkdirSync(store, { recursive: true })
  const certutil = (...words: string[]) => execFileSync("certutil", ["-d", `sql:${store}`, ...words], { stdio: "pipe" })
  certutil("-N", "--empty-password")
  certutil("-A", "-t", "C,,", "-n", "the authority", "-i", authority)
  return home
}

export const chromiumPath = "/usr/bin/chromium"

export interface BrowserOptions {
  /** Knows HTTP/3, and trusts the certificates of this public key (the hash of its SPKI, base64): over QUIC nothing else makes it accept one. */
  readonly quicKey?: string
  /** PEM file of an authority that it trusts as if somebody had installed it; certificates are then judged as everywhere. Default: any certificate is taken. */
  readonly authority?: string
  /** More of the command line. */
  readonly args?: readonly string[]
}

/** Debian's Chromium, without its own errands. `proxy`: sends everything through this proxy, loopback included, which it would keep to itself. */
export function startBrowser(proxy?: string, { quicKey, authority, args = [] }: BrowserOptions = {}): Promise<Browser> {
  if (!existsSync(chromiumPath)) throw new Error(`there is no ${chromiumPath}; apt-get install chromium`)
  const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
  const quic = quicKey === undefined ? ["--disable-quic"] : ["--enable-quic", `--ignore-certificate-errors-spki-list=${quicKey}`]
  const forward = proxy === undefined ? [] : [`--proxy-server=${proxy}`, "--proxy-bypass-list=<-loopback>"]
  const careless = authority === undefined ? ["--ignore-certificate-errors"] : []
  return chromium.launch({
    ...(authority === undefined ? {} : { env: { ...process.env, HOME: homeThatTrusts(authority) } as Record<string, string> }),
    executablePath: chromiumPath,
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", ...careless, ...quiet, ...quic, ...forward, ...args],
  })
}
