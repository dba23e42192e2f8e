import { parentPort, workerData } from "node:worker_threads"
import { listenQuic } from "./listen-quic.ts"
import type { QuicIdentity } from "./quic-certificates.ts"
import { StreamLog } from "./quic.fixture.ts"

/** What a worker of quic-workers.test.ts is told. */
export interface WorkerOrder {
  name: string
  port: number
  steerOver: number
  identity: QuicIdentity
}

const { name, port, steerOver, identity } = workerData as WorkerOrder
const tls = { clientCertificates: "off", authorities: undefined, identities: [identity], onChange: () => () => {} } as const
const at = listenQuic(
  { bind: { host: "127.0.0.1", port }, reusePort: true, steerOver, tls },
  {
    onOpen: () => ({
      onStream: (_connection, stream) => {
        const log = new StreamLog()
        log.whenEnd = () => stream.sendHeaders([":status", "200", "x-name", name], "initial", true)
        return log
      },
      onDatagram(): void {},
      onGoAway(): void {},
      onClose(): void {},
    }),
  },
)
parentPort!.postMessage(at.port)
