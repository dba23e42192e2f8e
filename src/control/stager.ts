import type { Address, Log } from "../base/index.ts"
import type { Config } from "../config/index.ts"
import type { MetricsRegistry } from "../observe/index.ts"
import { adminSettings } from "./overrides.ts"
import { captureProblem } from "./capture/capture-kernel.ts"
import { capturePlan } from "./capture/capture-plan.ts"
import { adminBindProblem } from "./admin/admin-server.ts"
import type { CertificateKeeper } from "./certificates/certificate-keeper.ts"
import type { Caches, StagedCaches } from "./caches/caches.ts"
import { NO_CACHES } from "./caches/shared-caches.ts"
import { forgetConnections, type LimitsByListener, limitsOf } from "./connection-memory.ts"
import { dryBuild } from "./dry-build.ts"
import type { ListKeeper } from "./lists/list-keeper.ts"
import type { PeerDirectory } from "./peers/peer-directory.ts"
import { adminBind, listenerBinds, takenBinds } from "./ports.ts"
import type { ReloadProblem } from "./protocol.ts"
import type { BanZones } from "./bans/ban-zones.ts"
import type { Zones } from "./shared-zones.ts"
import type { Candidate, Staged } from "./reload.ts"

export interface StagerParts {
  readonly peers: PeerDirectory
  readonly registry: MetricsRegistry
  readonly caches: Caches
  readonly zones: Zones
  readonly bans: BanZones
  readonly lists: ListKeeper
  readonly workers: number
  readonly flags: Readonly<Record<string, string>>
  readonly log: Log
  /** What another process has bound for us. */
  readonly inherited: readonly Address[]
  readonly certificates: CertificateKeeper
  /** Folders of caches that the process whose place we take still has. */
  heldDisks(): ReadonlySet<string>
  /** Applied after the workers have committed. */
  committed(config: Config): Promise<void>
}

/** Gets ready what workers need before they can have a config: free ports, resolved peers, places for metrics. Keeps what is bound now. */
export class Stager {
  readonly #parts: StagerParts
  #bound: readonly Address[]
  #limits: LimitsByListener = {}

  constructor(parts: StagerParts) {
    this.#parts = parts
    this.#bound = parts.inherited
  }

  /** Takes back what a worker that died had counted. */
  forgetWorker(worker: number): void {
    forgetConnections(this.#limits, worker)
  }

  async stage({ config, baseDir }: Candidate): Promise<Staged> {
    const { peers, registry, log } = this.#parts
    const taken = this.#problems(config)
    if (taken.length > 0) return refusal(taken)
    registry.begin()
    placeMetrics(registry, config)
    const wanted = new Map<string, number>()
    const problems = dryBuild(config, baseDir, {
      counter: (name, help) => void registry.counter(name, help),
      shared: (key, bytes) => void wanted.set(key, bytes),
      workers: this.#parts.workers,
    })
    if (problems.length > 0) return refusal(problems)
    const lists = await this.#parts.lists.stage(config)
    if (lists.problems.length > 0) return refusal(lists.problems)
    const limits = limitsOf(config, this.#parts.workers, this.#limits)
    const staged = await peers.stage(config)
    const certificates = await this.#parts.certificates.stage(config)
    const caches = staged.problems.length > 0 || certificates.problem !== "" ? NOTHING_STAGED : await this.#stageCaches(config)
    const late = [caches.problem, certificates.problem].filter(problem => problem !== "").map(message => ({ message, where: "", expected: "" }))
    const unusable = [...staged.problems, ...late]
    if (unusable.length > 0) {
      staged.undo()
      lists.undo()
      return refusal(unusable)
    }
    const zones = this.#parts.zones.stage(wanted)
    const bans = this.#parts.bans.stage(config, zones.zones, baseDir)
    return {
      problems: [],
      peers: staged.peers,
      clusterSlots: staged.clusterSlots,
      limits,
      caches: caches.shared,
      zones: zones.zones,
      layout: registry.layout,
      undo: () => {
        caches.undo()
        staged.undo()
        lists.undo()
      },
      commit: async () => {
        this.#bound = [...listenerBinds(config), ...adminBind(config)].map(({ bind }) => bind)
        this.#limits = limits
        caches.commit()
        zones.commit()
        bans.commit()
        lists.commit()
        registry.commit()
        staged.commit()
        certificates.commit()
        for (const warning of staged.warnings) log.warn("a cluster has no peers yet; its names are asked for again and again", { problem: warning })
        await this.#parts.committed(config)
      },
    }
  }

  /** A disk that another process still has comes later; until then its cache is memory alone. */
  #stageCaches(config: Config): Promise<StagedCaches> {
    const held = this.#parts.heldDisks()
    if (held.size === 0) return this.#parts.caches.stage(config)
    const caches = Object.entries(config.caches).map(([name, cache]) => [name, held.has(cache.disk?.path ?? "") ? { ...cache, disk: null } : cache])
    return this.#parts.caches.stage({ ...config, caches: Object.fromEntries(caches) })
  }

  #problems(config: Config): ReloadProblem[] {
    const { flags } = this.#parts
    const admin = adminSettings(config)
    const token = (admin === null ? "" : adminBindProblem(admin)) || captureProblemOf(config)
    const taken = takenBinds([...listenerBinds(config), ...adminBind(config)], this.#bound, flags)
    return token === "" ? taken : [{ message: token, where: "", expected: "" }, ...taken]
  }
}

/** What would only be seen when the rules are made: no right to, or a kernel that does not know them. */
function captureProblemOf(config: Config): string {
  const plan = config.capture?.apply === "run" ? capturePlan(config) : null
  const problem = plan === null ? "" : captureProblem(plan)
  return problem === "" ? "" : `capture: ${problem}`
}

const NOTHING_STAGED: StagedCaches = { problem: "", shared: NO_CACHES, commit() {}, undo() {} }

function refusal(problems: readonly ReloadProblem[]): Staged {
  return {
    problems,
    peers: {},
    clusterSlots: {},
    limits: {},
    caches: NO_CACHES,
    zones: {},
    layout: { capacity: 0, blocks: [] },
    commit() {},
    undo() {},
  }
}

/** Asks for the places of everything that has series by name, so that a reload keeps what stays. */
function placeMetrics(registry: MetricsRegistry, config: Config): void {
  for (const name of Object.keys(config.listeners)) registry.listener(name)
  for (const route of config.routes) registry.route(route.name)
  for (const route of config.routes) if (route.filters.some(({ name }) => name === "cache")) registry.cache(route.name)
  for (const name of Object.keys(config.clusters)) registry.cluster(name)
}
