import type { Log } from "../../base/index.ts"
import type { AdminKeeper } from "../admin/admin-keeper.ts"
import type { LiveDisks } from "../caches/live-disks.ts"
import type { Reloader } from "../reload.ts"
import type { WorkerPool } from "../workers/worker-pool.ts"
import { Upgrader } from "./upgrader.ts"

/** The parts of an instance that have something to hand over. */
export interface InstanceParts {
  readonly pool: WorkerPool
  readonly admin: AdminKeeper
  readonly ports: ReadonlyMap<string, number>
  readonly disks: LiveDisks
  readonly reloader: Reloader
  readonly log: Log
  drainMs(): number
  /** Another process accepts from the sockets of these addresses. */
  drain(handed: readonly string[]): Promise<void>
}

export function instanceUpgrader({ pool, admin, ports, disks, reloader, log, drainMs, drain }: InstanceParts): Upgrader {
  return new Upgrader({
    estate: async () => {
      // A worker that is being replaced has no sockets to give.
      await pool.untilReady()
      return { sockets: await pool.lend(), admin: admin.socket, ports, disks: disks.paths }
    },
    hold: work => reloader.hold(work),
    handedOver: (taken, adminTaken) => {
      admin.leave(adminTaken)
      void drain(taken)
      return disks.leave(drainMs())
    },
    log,
  })
}
