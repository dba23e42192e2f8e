import type { ConfigInput } from "../../config/index.ts"
import type { DemoOrigin } from "./demo-origins.ts"

export interface DemoPorts {
  readonly reverse: number
  readonly forward: number
  readonly admin: number
}

export const demoPorts: DemoPorts = { reverse: 8080, forward: 3128, admin: 9900 }

/**
 * The config of the demo. Its forward listener opens one private address and the three origins' ports, because its origins are on this machine;
 * a real one leaves `privateRanges` at deny.
 */
export function demoConfig(origins: readonly DemoOrigin[], ports: DemoPorts): ConfigInput {
  const config = {
    listeners: {
      reverse: { bind: `127.0.0.1:${ports.reverse}` },
      forward: {
        bind: `127.0.0.1:${ports.forward}`,
        forward: { privateRanges: ["127.0.0.1/32"], ports: origins.map(origin => origin.port), connectPorts: [] },
      },
    },
    clusters: {
      origins: { peers: origins.map(origin => `127.0.0.1:${origin.port}`), health: { http: { path: "/healthz", every: "2s" } } },
    },
    routes: [
      { name: "reverse", match: { listener: "reverse" }, to: { cluster: "origins" } },
      { name: "forward", match: { listener: "forward" }, to: { origin: {} } },
    ],
    observe: { accessLog: { to: "none" } },
    admin: { bind: `127.0.0.1:${ports.admin}` },
    drain: { timeout: "5s" },
  }
  return config as ConfigInput
}

/** The three lines to paste. A proxy in the environment would get in between: curl reads `http_proxy`, `all_proxy` and `no_proxy`, also with -x. */
export function demoLines(origins: readonly DemoOrigin[], ports: DemoPorts, env: Readonly<Record<string, string | undefined>>): string[] {
  const set = (name: string) => (env[name] ?? env[name.toUpperCase()] ?? "") !== ""
  const direct = set("http_proxy") || set("all_proxy") ? "--noproxy '*' " : ""
  const proxied = set("no_proxy") ? "--noproxy '' " : ""
  return [
    `curl ${direct}http://127.0.0.1:${ports.reverse}/`,
    `curl ${proxied}-x http://127.0.0.1:${ports.forward} http://127.0.0.1:${origins[0]!.port}/`,
    `curl ${direct}http://127.0.0.1:${ports.admin}/status`,
  ]
}
