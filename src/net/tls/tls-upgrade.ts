// HOT
import { silence } from "../dispatch.ts"
import { ChallengePending } from "./challenge-wait.ts"
import { alpnWireFormat, type NativeContext } from "./context.ts"
import { ACME_TLS } from "./hello-gate.ts"
import { listenSettings } from "./default-context.ts"
import type { ServerTls } from "./server-tls.ts"
import type { UpgradePending } from "./upgrade-pending.ts"

/** Server-side TLS on connections that were accepted in the clear. The socket splits in two: the secured one, and the raw one, which still sees the ciphertext and tells of the end. */
export class TlsUpgrade {
  private readonly tls: ServerTls
  private readonly protocols: Buffer | undefined
  private readonly handlers: object
  private readonly challengeHandlers: object

  /** `challengeHandlers`: the same callbacks, but none that chooses another certificate by name. */
  constructor(tls: ServerTls, protocols: Buffer | undefined, handlers: object, challengeHandlers: object) {
    this.tls = tls
    this.protocols = protocols
    this.handlers = handlers
    this.challengeHandlers = challengeHandlers
  }

  /** `first` is what has arrived of the handshake. */
  start(pending: UpgradePending, first: Buffer | null): void {
    secure(pending, first, listenSettings(this.tls, this.protocols), this.handlers)
  }

  /** The same with the certificate of a TLS-ALPN-01 challenge, for its protocol only. */
  startChallenge(pending: UpgradePending, context: NativeContext, first: Buffer): void {
    const proof = new ChallengePending(pending.point, pending.raw, null, null)
    secure(proof, first, { secureContext: context, ALPNProtocols: ACME_WIRE, requestCert: false }, this.challengeHandlers)
  }
}

const ACME_WIRE = alpnWireFormat([ACME_TLS])

function secure(pending: UpgradePending, first: Buffer | null, tls: object, socket: object): void {
  const { raw } = pending
  raw.data = silence
  const initialData = first !== null && first.length > 0 ? first : undefined
  const pair = raw.upgradeTLS({ isServer: true, initialData, data: pending, tls, socket })
  if (pair === undefined) return raw.terminate()
  pair[0].data = silence
}
