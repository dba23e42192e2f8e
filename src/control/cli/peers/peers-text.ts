import type { PeerView } from "../../peers/run-time-peers.ts"
import { columns, count, printable } from "../cache/cell.ts"
import { age } from "../age.ts"
import type { Style } from "../terminal.ts"
import type { PeersReply } from "./ask-peers.ts"

/** The peers as people read them. */
export function peersText({ clusters, kept }: PeersReply, style: Style, now = Date.now()): string {
  const all = Object.entries(clusters)
  if (all.length === 0) return "there is no cluster\n"
  const parts = all.map(([name, { peers, changed }]) => {
    const rows = peers.map(peer => rowOf(peer, now))
    const heading = ["PEER", "NAME", "FROM", "WEIGHT", "STATE", "IN FLIGHT", "REQUESTS"]
    const table = rows.length === 0 ? "no peer\n" : columns([heading, ...rows], [false, false, false, true, false, true, true])
    const differs = changed.length === 0 ? "" : `${style.yellow("not as in the config:")} ${changed.map(printable).join("; ")}\n`
    return `cluster ${style.bold(printable(name))}\n${table}${differs}`
  })
  const isChanged = all.some(([, { changed }]) => changed.length > 0)
  return `${parts.join("\n")}${isChanged && !kept ? "changes last until the process ends; admin.peersFile keeps them\n" : ""}`
}

function rowOf(peer: PeerView, now: number): string[] {
  const name = printable(peer.name) + (peer.backup ? " (backup)" : "")
  return [name, printable(peer.host), peer.from, String(peer.weight), stateOf(peer, now), count(peer.inFlight), count(peer.requests)]
}

/** `draining, 12s left`. */
export function stateOf({ state, drain, share }: PeerView, now: number): string {
  if (state === "up" && share < 1) return `up, starts with ${Math.round(share * 100)} %`
  if (drain === null) return state
  if (state === "draining") return `draining, ${age(Math.max(0, drain.until - now))} left${drain.sessions ? ", sessions may come" : ""}`
  return state === "drained" && drain.cut > 0 ? `drained, ${count(drain.cut)} cut` : state
}
