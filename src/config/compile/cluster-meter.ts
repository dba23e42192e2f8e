// HOT
import { CLUSTER, PEER, type WorkerMetrics } from "../../observe/index.ts"
import type { AttemptMeter, GuardMeter, Peer } from "../../upstream/index.ts"

/** Writes the numbers of a cluster and of its peers into the metrics of this thread. */
export class ClusterMeter implements AttemptMeter, GuardMeter {
  private readonly metrics: WorkerMetrics
  private readonly at: number

  /** `at`: offset of the cluster's block; those of the peers stand with them. */
  constructor(metrics: WorkerMetrics, at: number) {
    this.metrics = metrics
    this.at = at
  }

  began(peer: Peer, again: boolean): void {
    this.metrics.add(this.at + CLUSTER.attempts, 1)
    this.metrics.add(peer.metrics + PEER.attempts, 1)
    if (again) this.metrics.add(this.at + CLUSTER.retries, 1)
  }

  failed(peer: Peer): void {
    this.metrics.add(this.at + CLUSTER.failures, 1)
    this.metrics.add(peer.metrics + PEER.failures, 1)
  }

  connected(peer: Peer, ms: number): void {
    this.metrics.observe(this.at + CLUSTER.connect, ms)
    this.metrics.observe(peer.metrics + PEER.connect, ms)
  }

  hedged(peer: Peer): void {
    this.metrics.add(this.at + CLUSTER.attempts, 1)
    this.metrics.add(peer.metrics + PEER.attempts, 1)
    this.metrics.add(this.at + CLUSTER.hedges, 1)
  }

  hedgeWon(): void {
    this.metrics.add(this.at + CLUSTER.hedgesWon, 1)
  }

  waited(ms: number): void {
    this.metrics.observe(this.at + CLUSTER.queueWait, ms)
  }

  refused(): void {
    this.metrics.add(this.at + CLUSTER.refused, 1)
  }

  panicked(): void {
    this.metrics.add(this.at + CLUSTER.panicked, 1)
  }
}
