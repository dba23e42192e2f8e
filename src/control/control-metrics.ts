import type { ExtraSample } from "../observe/index.ts"
import type { ClusterEntry } from "./admin/status.ts"
import type { FollowedFile } from "./protocol.ts"
import { resilienceSamples } from "./resilience-status.ts"
import type { ReloadRecord } from "./reload.ts"
import { version } from "./version.ts"
import type { WorkerStatus } from "./workers/worker-pool.ts"

/** Counts of what the control thread did; the rest is read when the page is asked for. */
export interface ControlCounts {
  reloadsApplied: number
  reloadsRefused: number
  readonly startedAt: number
}

export interface ControlFacts {
  readonly counts: ControlCounts
  readonly configVersion: number
  readonly committedAt: number
  readonly last: ReloadRecord | null
  readonly workers: readonly WorkerStatus[]
  readonly clusters: readonly ClusterEntry[]
  readonly files: readonly FollowedFile[]
}

/** The samples that no worker can know. */
export function controlSamples(facts: ControlFacts): ExtraSample[] {
  const { counts, workers } = facts
  const live = workers.filter(worker => worker.state === "live").length
  const restarts = workers.reduce((sum, worker) => sum + worker.restarts, 0)
  return [
    gauge("bothways_info", "Version of the program.", 1, { version }),
    gauge("bothways_start_time_seconds", "Start of the process, seconds of the epoch.", counts.startedAt / 1000),
    gauge("bothways_memory_bytes", "Resident memory of the process.", process.memoryUsage.rss()),
    gauge("bothways_config_version", "Version of the live config; rises with each that was tried.", facts.configVersion),
    gauge("bothways_config_live_since_seconds", "When the live config was committed, seconds of the epoch.", facts.committedAt / 1000),
    gauge(
      "bothways_config_last_reload_successful",
      "1 when the last reload was applied or changed nothing, 0 when it was refused.",
      facts.last?.outcome.ok === false ? 0 : 1,
    ),
    counter("bothways_config_reloads_total", "Reloads by what came of them.", counts.reloadsApplied, { result: "applied" }),
    counter("bothways_config_reloads_total", "Reloads by what came of them.", counts.reloadsRefused, { result: "refused" }),
    gauge("bothways_workers", "Worker threads that there should be.", workers.length),
    gauge("bothways_workers_live", "Worker threads that serve.", live),
    counter("bothways_worker_restarts_total", "Worker threads that ended and were replaced.", restarts),
    ...facts.clusters.flatMap(peerSamples),
    ...facts.clusters.flatMap(resilienceSamples),
    ...facts.files.flatMap(fileSamples),
  ]
}

function fileSamples({ file, writtenAt, validTo, stale }: FollowedFile): ExtraSample[] {
  const labels = { file }
  return [
    gauge(
      "bothways_file_stale",
      "1 when a newer version of the file cannot be used, or the file is gone, and an older one is in force.",
      stale ? 1 : 0,
      labels,
    ),
    gauge(
      "bothways_file_written_seconds",
      "When the version of the file that is in force was written, seconds of the epoch.",
      writtenAt / 1000,
      labels,
    ),
    ...(validTo === 0
      ? []
      : [gauge("bothways_certificate_end_seconds", "Last moment of the certificate in use, seconds of the epoch.", validTo / 1000, labels)]),
  ]
}

function peerSamples(cluster: ClusterEntry): ExtraSample[] {
  return cluster.peers.flatMap(peer => {
    const labels = { cluster: cluster.name, peer: peer.name }
    return [
      gauge("bothways_peer_available", "1 when the peer gets requests: not down, not ejected.", peer.available ? 1 : 0, labels),
      gauge("bothways_peer_in_flight", "Requests that the peer is working on.", peer.inFlight, labels),
      counter("bothways_peer_ejections_total", "Ejections by passive health checking.", peer.ejections, labels),
    ]
  })
}

function gauge(metric: string, help: string, value: number, labels?: Readonly<Record<string, string>>): ExtraSample {
  return { metric, kind: "gauge", help, value, ...(labels === undefined ? {} : { labels }) }
}

function counter(metric: string, help: string, value: number, labels?: Readonly<Record<string, string>>): ExtraSample {
  return { ...gauge(metric, help, value, labels), kind: "counter" }
}
