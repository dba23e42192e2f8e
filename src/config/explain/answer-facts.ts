import type { Fault } from "../../base/index.ts"
import { formatHostPort } from "../../base/index.ts"
import type { Exchange } from "../../flow/index.ts"
import { reasonOf } from "../../http/index.ts"
import type { End } from "./dry-run.ts"
import type { Answer, ClusterFacts, Destination, OriginFacts } from "./explanation.ts"
import type { Stop } from "./journey.ts"
import { counted, shown } from "./shown.ts"

/** What the client would get. `turn` is the step at which the way ended. */
export function answerOf(end: End, x: Exchange, turn: Stop | null, destination: Destination | null): Answer {
  switch (end.kind) {
    case "refused":
      return faultAnswer(end.fault, "the request's head is refused")
    case "answered":
      return x.fault === null ? replyAnswer(x, turn) : faultAnswer(x.fault, byWhom(turn))
    case "waits":
      return { kind: "unknown", says: `not known: ${turn?.stage.name ?? "the request"} waits for something that does not come here` }
    default:
      return upstreamAnswer(x, destination)
  }
}

function faultAnswer(fault: Fault, by: string): Answer {
  const reply = fault.status === 0 ? "the connection is closed without an answer" : `${fault.status} ${reasonOf(fault.status)}`
  return {
    kind: "fault",
    code: fault.code,
    status: fault.status,
    says: `${reply}, ${fault.code}: ${fault.description}${by === "" ? "" : ` (${by})`}`,
  }
}

function byWhom(turn: Stop | null): string {
  if (turn === null || turn.stage.phase === "route") return ""
  return turn.stage.filter === null ? "" : `by the filter ${turn.stage.name}`
}

function replyAnswer(x: Exchange, turn: Stop | null): Answer {
  const location = /^location: *(.*?)\r?$/im.exec(x.response.extra)?.[1]
  const what =
    location === undefined ? (x.responseLength === 0 ? "without a body" : `with ${counted(x.responseLength, "octet")}`) : `to ${shown(location)}`
  const by = turn?.stage.filter ? `, by the filter ${turn.stage.name}` : ""
  return { kind: "reply", status: x.status, says: `${x.status} ${shown(x.reason)} ${what}, from the proxy itself${by}` }
}

function upstreamAnswer(x: Exchange, destination: Destination | null): Answer {
  if (destination?.kind === "cluster") return peerAnswer(destination.cluster, "")
  if (destination?.kind === "origin" && destination.via !== null)
    return peerAnswer(destination.via, `, a parent proxy on the way to ${originName(destination.origin)}`)
  if (destination?.kind === "origin") return originAnswer(x, destination.origin)
  return { kind: "unknown", says: "not known: the way ends where it should not" }
}

function peerAnswer(cluster: ClusterFacts, suffix: string): Answer {
  const peers = cluster.pick === null ? cluster.peers.filter(peer => peer.candidate).map(peer => peer.name) : [cluster.pick]
  const which =
    peers.length === 1 ? `peer ${peers[0]}` : `one of ${peers.length} peers (${peers.slice(0, 4).join(", ")}${peers.length > 4 ? " …" : ""})`
  return { kind: "peer", cluster: cluster.name, peers, says: `the answer of ${which} of cluster ${cluster.name}${suffix}` }
}

function originAnswer(x: Exchange, origin: OriginFacts): Answer {
  const name = originName(origin)
  const what = x.method === "CONNECT" ? `200 and a tunnel to ${name}` : `the answer of the origin ${name}`
  const open = origin.checks.some(check => check.ok === null) ? ", unless its addresses are closed" : ""
  return { kind: "origin", origin: name, says: `${what}${open}` }
}

function originName({ host, port }: OriginFacts): string {
  return formatHostPort(host, port)
}
