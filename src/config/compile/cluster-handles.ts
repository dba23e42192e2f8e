import { nearest } from "../../base/index.ts"
import { deliver, DONE, OwnExchange, type Plan } from "../../flow/index.ts"
import type { ClusterHandle } from "../../plugin/index.ts"
import { type Cluster, clusterSteps } from "../../upstream/index.ts"
import type { Config } from "../schema.ts"
import type { CompileDeps } from "./compile-deps.ts"
import { rulesOfCluster } from "./compile-route.ts"

/** What filters send requests of their own with, made when one asks for it. */
export class ClusterHandles {
  private readonly config: Config
  private readonly clusters: ReadonlyMap<string, Cluster>
  private readonly deps: CompileDeps
  private readonly made = new Map<string, ClusterHandle>()

  constructor(config: Config, clusters: ReadonlyMap<string, Cluster>, deps: CompileDeps) {
    this.config = config
    this.clusters = clusters
    this.deps = deps
  }

  readonly get = (name: string): ClusterHandle => {
    const known = this.made.get(name)
    if (known !== undefined) return known
    const cluster = this.clusters.get(name)
    if (cluster === undefined) throw new Error(unknownCluster(name, [...this.clusters.keys()]))
    const plan = planOf(cluster, this.config)
    const { time } = this.deps
    const handle: ClusterHandle = {
      name,
      send(request, done) {
        const own = new OwnExchange(plan, request, done)
        own.send(time)
        return own
      },
    }
    this.made.set(name, handle)
    return handle
  }
}

/** What to say of a cluster that is not in the config. */
export function unknownCluster(name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  return `there is no cluster ${JSON.stringify(name)}${near === null ? "" : `; did you mean ${near}?`}`
}

/** Upstream and back, without a client, filters or a line in the log. */
function planOf(cluster: Cluster, config: Config): Plan {
  const upstream = clusterSteps(cluster, rulesOfCluster(cluster.name, config))
  return {
    steps: [upstream.peer, upstream.forward, upstream.judge, deliver, upstream.finish, () => DONE],
    respondAt: 3,
    peerAt: 0,
    logAt: 4,
    retry: upstream.retry,
    bodyBytesMax: 0,
    requestMs: 0,
    tunnelIdleMs: 0,
    route: { name: "", index: -1, cluster: cluster.name, metrics: -1 },
  }
}
