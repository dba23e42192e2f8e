import type { Log } from "../base/index.ts"
import type { Config } from "../config/index.ts"
import type { ExtraSample } from "../observe/index.ts"
import type { PeerStates } from "../upstream/index.ts"
import type { AdminFeature } from "./admin/admin-feature.ts"
import { peerFeature } from "./admin/peer-routes.ts"
import { banFeature } from "./bans/ban-feature.ts"
import type { BanZones } from "./bans/ban-zones.ts"
import { Canaries } from "./canary/canaries.ts"
import { CaptureKeeper } from "./capture/capture-keeper.ts"
import { canaryFeature } from "./canary/canary-routes.ts"
import { faultFeature } from "./canary/fault-routes.ts"
import { dnsFeature } from "./dns/dns-feature.ts"
import { LogKeeper } from "./log-files/log-keeper.ts"
import type { Drains } from "./peers/drains.ts"
import { PinnedDirectory, pinnedFeature } from "./inside/pinned-feature.ts"
import { listFeature, listSamples } from "./lists/list-feature.ts"
import type { ListKeeper } from "./lists/list-keeper.ts"
import type { PeerDirectory } from "./peers/peer-directory.ts"
import { quotaFeature } from "./quotas/quota-feature.ts"
import { QuotaKeeper } from "./quotas/quota-keeper.ts"
import { RunTimePeers } from "./peers/run-time-peers.ts"
import type { Zones } from "./shared-zones.ts"

/** What a feature of this thread is to the instance. What it leaves out it has no part in. */
export interface ControlFeature {
  /** Its part of the admin API. */
  readonly admin?: AdminFeature
  /** The config is live, and so is its memory. */
  follow?(config: Config): void
  /** Its part of the metrics page, beside what workers count. */
  samples?(): readonly ExtraSample[]
  /** The proxy finishes what it has, because it stops; not when another process takes its place. */
  drain?(): void
  stop?(): void
}

/** What features are made of. */
export interface FeatureParts {
  readonly lists: ListKeeper
  /** Of this process among all. */
  readonly id: string
  readonly zones: Zones
  readonly bans: BanZones
  readonly peers: PeerDirectory
  readonly drains: Drains
  readonly states: PeerStates
  readonly log: Log
}

/** The features of the control thread: the one place to name a new one. */
export function controlFeatures({ id, zones, bans, lists, peers, drains, states, log }: FeatureParts): readonly ControlFeature[] {
  const canaries = new Canaries({ zones, log })
  const logFiles = new LogKeeper(log)
  return [
    { admin: peerFeature(new RunTimePeers({ directory: peers, drains, states, log })), stop: () => drains.stop() },
    {
      admin: canaryFeature(canaries),
      follow: config => canaries.follow(config),
      samples: () => canaries.samples(),
      stop: () => canaries.stop(),
    },
    { admin: faultFeature(zones, log) },
    { admin: listFeature(lists), samples: () => listSamples(lists), stop: () => lists.close() },
    { follow: config => logFiles.follow(config), stop: () => logFiles.stop() },
    { admin: banFeature(bans), stop: () => bans.close() },
    pinsOf(new PinnedDirectory(zones)),
    dnsFeature(zones),
    captureFeature(new CaptureKeeper(id, log)),
    quotasOf(new QuotaKeeper(zones, log)),
  ]
}

function quotasOf(keeper: QuotaKeeper): ControlFeature {
  return { admin: quotaFeature(keeper), follow: config => keeper.follow(config), stop: () => keeper.stop() }
}

function pinsOf(directory: PinnedDirectory): ControlFeature {
  return { admin: pinnedFeature(directory), follow: config => directory.follow(config) }
}

function captureFeature(keeper: CaptureKeeper): ControlFeature {
  return { follow: config => keeper.follow(config), drain: () => keeper.drain(), stop: () => keeper.stop() }
}
