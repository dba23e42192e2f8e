/** A config with one listener `web` on this port, one cluster `a`, and one route that sends everything there unless `more` has routes of its own. */
export function reverseConfig(port: number, peer: string, more: ReverseConfigParts = {}): object {
  return {
    listeners: { web: { bind: `127.0.0.1:${port}`, ...more.listener } },
    clusters: { a: { peers: [peer], ...more.cluster }, ...more.clusters },
    routes: more.routes ?? [{ match: {}, to: { cluster: "a" }, ...more.route }],
  }
}

export interface ReverseConfigParts {
  /** Added to the listener. */
  readonly listener?: object
  /** Added to the cluster. */
  readonly cluster?: object
  /** Further clusters. */
  readonly clusters?: object
  /** Added to the one route. */
  readonly route?: object
  /** In place of the one route. */
  readonly routes?: readonly object[]
}
