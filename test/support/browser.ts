import { existsSync } from "node:fs"
import { type Browser, chromium } from "playwright-core"

export const chromiumPath = "/usr/bin/chromium"

export interface BrowserOptions {
  /** Knows HTTP/3, and trusts the certificates of this public key (the hash of its SPKI, base64): over QUIC nothing else makes it accept one. */
  readonly quicKey?: string
  /** More of the command line. */
  readonly args?: readonly string[]
}

/** Debian's Chromium, without its own errands. `proxy`: sends everything through this proxy, loopback included, which it would keep to itself. */
export function startBrowser(proxy?: string, { quicKey, args = [] }: BrowserOptions = {}): Promise<Browser> {
  if (!existsSync(chromiumPath)) throw new Error(`there is no ${chromiumPath}; apt-get install chromium`)
  const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
  const quic = quicKey === undefined ? ["--disable-quic"] : ["--enable-quic", `--ignore-certificate-errors-spki-list=${quicKey}`]
  const forward = proxy === undefined ? [] : [`--proxy-server=${proxy}`, "--proxy-bypass-list=<-loopback>"]
  return chromium.launch({
    executablePath: chromiumPath,
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--ignore-certificate-errors", "--disable-dev-shm-usage", ...quiet, ...quic, ...forward, ...args],
  })
}
