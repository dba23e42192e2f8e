import { sendToUnix } from "../../net/index.ts"

/**
 * Tells the service manager how this process stands, as sd_notify(3) does; nothing where none asked (NOTIFY_SOCKET). With `Type=notify` systemd then knows
 * when the proxy serves, and which process is the main one after an upgrade.
 */
export function noticeService(...facts: readonly string[]): void {
  const path = process.env["NOTIFY_SOCKET"] ?? ""
  if (path.startsWith("/")) sendToUnix(path, facts.join("\n"))
  else if (path.startsWith("@")) sendToUnix(`\0${path.slice(1)}`, facts.join("\n"))
}
