import { formatAddress, log } from "../../../base/index.ts"
import type { Instance } from "../../instance.ts"
import { captureOwner } from "../../capture/capture-kernel.ts"
import { probeExit } from "../../tunnel/probe.ts"
import { EXIT } from "../exit-codes.ts"

/** Faults that no waiting mends: the tunnel was given something wrong. */
const wrong: Readonly<Record<string, string>> = {
  "upstream.parent-auth": "the exit does not take who we are: look at --token-file, or --user and --password-file",
  "upstream.tls-failed": "the exit is not who it should be, or does not take our certificate: look at --server-name, --ca, --cert",
  "upstream.certificate-wanted": "the exit takes only clients with a certificate: give --cert and --key",
  "upstream.protocol-unavailable": "what answers at --via is no exit: it speaks no HTTP/2",
}

/** Whether the exit is there and takes us, said once after the start. `stays`: the tunnel goes on refusing, in spite of something that is wrong. */
export async function firstWord(instance: Instance, host: string, stays: boolean): Promise<void> {
  const bind = instance.config.listeners["tunnel"]?.bind[0]
  if (bind === undefined) return
  if (instance.config.capture !== null && captureOwner() === "") {
    log.error("control", "nothing is captured, so programs would go out by themselves: --everything needs nftables, and root or CAP_NET_ADMIN")
    instance.stop(EXIT.failed)
    return
  }
  const { fault, status } = await probeExit(bind, host)
  const reason = wrong[fault] ?? (fault === "" && status >= 400 ? `the exit answers ${status}: it takes no requests of this kind` : "")
  if (reason !== "") {
    log.error("control", reason, { exit: host, stays })
    if (!stays) instance.stop(EXIT.failed)
  } else if (fault !== "")
    log.warn("control", "the exit cannot be reached yet; requests wait for it and then fail, and nothing goes out in another way", {
      exit: host,
      fault,
    })
  else log.info("control", "connected to the exit", { exit: host, listener: formatAddress(bind) })
}
