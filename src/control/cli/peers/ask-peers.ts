import type { ClusterView } from "../../peers/run-time-peers.ts"
import type { AdminOptions } from "../admin-options.ts"
import { askCaches, type CachesReply, type Question } from "../cache/admin/ask-caches.ts"
import type { CommandContext } from "../program.ts"

/** What the instance says of peers. */
export interface PeersReply {
  readonly clusters: Readonly<Record<string, ClusterView>>
  /** Changes last over a restart. */
  readonly kept: boolean
  readonly notKept?: string
}

/** Options of every command about peers. */
export interface PeerOptions extends AdminOptions {
  readonly json?: boolean
}

/** Asks a running instance about its peers. null = it did not do what was asked for, which has been said, with the exit code. */
export function askPeers(question: Question, options: AdminOptions, context: CommandContext): Promise<CachesReply<PeersReply> | null> {
  return askCaches<PeersReply>(question, options, context)
}
