import { existsSync } from "node:fs"
import { type Browser, chromium } from "playwright-core"

export const chromiumPath = "/usr/bin/chromium"

/** Debian's Chromium, without its own errands. `proxy`: sends everything through this proxy, loopback included, which it would keep to itself. */
export function startBrowser(proxy?: string): Promise<Browser> {
  if (!existsSync(chromiumPath)) throw new Error(`there is no ${chromiumPath}; apt-get install chromium`)
  const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic"]
  const forward = proxy === undefined ? [] : [`--proxy-server=${proxy}`, "--proxy-bypass-list=<-loopback>"]
  return chromium.launch({
    executablePath: chromiumPath,
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--ignore-certificate-errors", "--disable-dev-shm-usage", ...quiet, ...forward],
  })
}
