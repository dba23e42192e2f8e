import type { ConfigInput } from "../../../config/index.ts"
import { accessLogOf } from "../quick-config.ts"
import { UsageError } from "../usage-error.ts"
import { tunnelWindows } from "./tunnel-config.ts"

/** Flags of `bothways exit` that the config is made from. */
export interface ExitOptions {
  readonly listen: readonly string[]
  readonly cert: string
  readonly key: string
  readonly tokenFile?: string
  readonly htpasswd?: string
  readonly clientCa?: string
  readonly connectPorts: string
  readonly allowPrivate?: boolean
  readonly http3?: boolean
  readonly padding?: boolean
  readonly log: string
}

/** Places of the config that `bothways exit` stands for, and the flags that fill them. */
export const exitFlags = {
  "listeners.exit.bind": "--listen",
  "listeners.exit.tls.certificates[0].cert": "--cert",
  "listeners.exit.tls.certificates[0].key": "--key",
  "listeners.exit.tls.clientCertificates.ca": "--client-ca",
  "listeners.exit.forward.auth.bearer.tokens": "--token-file",
  "listeners.exit.forward.auth.htpasswd": "--htpasswd",
  "listeners.exit.forward.connectPorts": "--connect-ports",
} as const

/** All but the one that spam goes out by. */
export const exitPortsDefault = "1-24,26-65535"

/** The config that `bothways exit` stands for. */
export function exitConfig(options: ExitOptions): ConfigInput {
  const { tokenFile, htpasswd, clientCa } = options
  if (tokenFile === undefined && htpasswd === undefined && clientCa === undefined)
    throw new UsageError("an exit that takes anybody is an open proxy: give --token-file, --client-ca or --htpasswd")
  const ports = options.connectPorts.split(",").map(port => port.trim())
  const auth = tokenFile !== undefined ? { bearer: { tokens: tokenFile } } : htpasswd !== undefined ? { htpasswd } : null
  const config = {
    listeners: {
      exit: {
        bind: [...options.listen],
        tls: {
          certificates: [{ cert: options.cert, key: options.key }],
          minVersion: "1.3",
          ...(clientCa === undefined ? {} : { clientCertificates: { mode: "required", ca: clientCa } }),
        },
        http2: { ...tunnelWindows, padding: options.padding === true },
        ...(options.http3 === true ? { http3: { advertise: "off" } } : {}),
        via: false,
        forward: {
          socks: false,
          connectPorts: ports,
          ports,
          udpPorts: ports,
          privacy: "anonymous",
          ...(options.allowPrivate === true ? { privateRanges: "allow" } : {}),
          ...(auth === null ? {} : { auth }),
        },
        // Browsers open and give up many; the tunnel in front of them is one client.
        limits: { streamsMax: 1000, streamResetsMax: 10_000, controlFramesMax: 10_000 },
        timeouts: { idle: "1h", tunnelIdle: "1h" },
      },
    },
    routes: [{ name: "exit", match: { listener: "exit" }, to: { origin: {} }, upgrade: ["websocket", "connect-udp"] }],
    observe: { accessLog: accessLogOf(options.log) },
  }
  return config as unknown as ConfigInput
}
