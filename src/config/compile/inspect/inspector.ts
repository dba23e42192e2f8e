import { isIP } from "node:net"
import { FAULT, log } from "../../../base/index.ts"
import { type Exchange, notesOf, type Notes, type PeekedTunnel, type PeekJudge } from "../../../flow/index.ts"
import { type ClientHello, ja4Of, type LeafContexts, type NativeContext, plainServerName, readClientHello } from "../../../net/index.ts"
import type { Match } from "../../../plugin/index.ts"
import type { InspectConfig, InspectRule } from "../../schema/forward-inspect.ts"
import type { InsideOutcome, OpenInside } from "./inside-opening.ts"
import type { NeverOpen } from "./never-open.ts"
import type { PinnedSites } from "./pinned-sites.ts"
import type { SiteCertificate, SiteProbe } from "./site-probe.ts"

/** The first octets of a client, its hello included. */
export const PEEK_BYTES_MAX = 66_000
/** Fatal access_denied (RFC 8446 section 6.2), in the clear: the client has no keys yet. */
const ACCESS_DENIED = Buffer.from([21, 3, 3, 0, 2, 2, 49])
const NOTHING = Buffer.alloc(0)
/** A client that knows its site's certificate may look at ours only after the handshake, and leaves at once (milliseconds). */
const LEFT_AT_ONCE_MS = 2000

export interface Decision {
  readonly do: InspectRule["do"]
  readonly reason: string
}

export interface CompiledRule {
  readonly holds: Match
  /** Holds only if the site's certificate is like this; null = whatever it is like. */
  readonly certificate: InspectRule["certificate"]
  readonly decision: Decision
}

export interface InspectorParts {
  readonly listener: string
  readonly config: InspectConfig
  readonly rules: readonly CompiledRule[]
  readonly neverOpen: NeverOpen
  /** null = nobody's refusal is remembered. */
  readonly pinned: PinnedSites | null
  /** null = nothing is opened here, as in explain. */
  readonly leaves: LeafContexts | null
  readonly open: OpenInside | null
  /** null = sites are not asked, as in explain. */
  readonly probe: SiteProbe | null
  /** Counts a decision. */
  counted(decision: InspectRule["do"]): void
}

/** Decides what becomes of the TLS in a listener's tunnels, and has it opened. */
export class Inspector implements PeekJudge {
  readonly parts: InspectorParts
  /** Sites whose server wants what only the client can show, with the reason. */
  private readonly askers = new Map<string, string>()

  constructor(parts: InspectorParts) {
    this.parts = parts
  }

  look(peek: PeekedTunnel, octets: Buffer, last: boolean): void {
    const hello = readClientHello(octets)
    if (hello === "incomplete" && !last) return
    if (typeof hello === "string") return this.act(peek, this.unknown(octets.length === 0 ? "silent-client" : "no-tls"), null)
    const notes = notesOf(peek.x)
    notes.tlsName = plainServerName(hello.serverName)
    notes.alpn = hello.protocols
    notes.ja4 = ja4Of(octets)
    const decision = this.decide(peek.x, notes)
    if (decision !== ASKS) this.act(peek, decision, hello)
    // A site that is refused is not asked.
    else if (notes.refuse !== null) this.act(peek, this.decide(peek.x, notes, "unknown"), hello)
    else this.ask(peek, notes, hello)
  }

  /** A rule is about the site's certificate. Through a parent proxy sites cannot be asked. */
  private ask(peek: PeekedTunnel, notes: Notes, hello: ClientHello): void {
    const { x } = peek
    const { probe } = this.parts
    peek.hold()
    const asked = (certificate: SiteCertificate): void => {
      if (peek.waits) this.act(peek, this.decide(x, notes, certificate), hello)
    }
    if (probe === null || x.plan!.route.cluster !== "") asked("unknown")
    else probe.ask(siteOf(x, notes), x.port, asked)
  }

  /**
   * What becomes of a connection, by what the exchange and its notes say. Pure, so that explain asks the same.
   * `ASKS`: it depends on the site's certificate, which `certificate` does not say. A rule that refuses comes before the sites that are never opened, and those before a rule that opens.
   */
  decide(x: Exchange, notes: Notes, certificate: SiteCertificate | null = null): Decision {
    if (notes.alpn.length > 0 && !notes.alpn.some(isHttp)) return this.unknown("no-http")
    const decision = this.byRule(x, certificate)
    if (decision.do !== "inspect") return decision
    const site = siteOf(x, notes)
    if (this.parts.neverOpen(site)) return { do: "tunnel", reason: "never-open" }
    if (this.parts.pinned?.holds(x.clientAddress, site, Date.now()) === true) return { do: "tunnel", reason: "pinned" }
    const asker = this.askers.get(site)
    return asker === undefined ? decision : { do: "tunnel", reason: asker }
  }

  /** How an inner request ended. A site that wants to see a certificate, or whose handshake fails with us: the next connections are between client and site. */
  noteEnd({ fault, host }: Exchange): void {
    if ((fault !== FAULT.certificateWanted && fault !== FAULT.tlsRejected) || this.parts.config.upstream.wantsClient === "refuse") return
    if (this.askers.size >= ASKERS_MAX) this.askers.delete(this.askers.keys().next().value!)
    this.askers.set(host, fault === FAULT.certificateWanted ? "client-certificate" : "upstream-handshake")
  }

  private byRule(x: Exchange, certificate: SiteCertificate | null): Decision {
    const { rules, config } = this.parts
    for (const rule of rules) {
      if (!rule.holds(x)) continue
      if (rule.certificate === null || rule.certificate === certificate) return rule.decision
      if (certificate === null) return ASKS
    }
    return { do: config.default, reason: "default" }
  }

  private unknown(reason: string): Decision {
    return { do: this.parts.config.unknownProtocols, reason }
  }

  private act(peek: PeekedTunnel, decided: Decision, hello: ClientHello | null): void {
    const notes = notesOf(peek.x)
    // What is refused is opened to say so, or it is closed: nothing of it goes on.
    const decision = notes.refuse === null || (decided.do === "inspect" && hello !== null) ? decided : BLOCKED
    this.parts.counted(decision.do)
    notes.tls = decision.do
    notes.tlsReason = decision.reason
    if (decision.do === "refuse") peek.refuse(hello === null ? NOTHING : ACCESS_DENIED, FAULT.tlsRefused)
    else if (decision.do === "tunnel" || hello === null) this.passOn(peek, notes)
    else this.open(peek, hello, notes)
  }

  /** A tunnel that is let through for the name in its hello leads to that name, whatever address was asked for. */
  private passOn(peek: PeekedTunnel, notes: Notes): void {
    const { x } = peek
    if (notes.tlsReason === "never-open" && isIP(x.host) !== 0 && notes.tlsName !== "" && notes.dials === "") {
      x.host = notes.tlsName
      x.authority = `${x.host}:${x.port}`
    }
    peek.goOn()
  }

  private open(peek: PeekedTunnel, hello: ClientHello, notes: Notes): void {
    const { leaves, open, config } = this.parts
    const { x } = peek
    const name = notes.tlsName === "" ? x.host : notes.tlsName
    const context = leaves === null ? null : this.contextOf(leaves, name)
    if (context === null || open === null) return this.giveUp(peek, notes, "no-certificate")
    const site = siteOf(x, notes)
    const client = x.clientAddress
    open({
      peek,
      context,
      serverName: notes.tlsName,
      protocols: PROTOCOLS.filter(protocol => hello.protocols.includes(protocol)),
      handshakeMs: config.handshake,
      done: outcome => this.ended(peek, outcome, client, site),
    })
  }

  private giveUp(peek: PeekedTunnel, notes: Notes, reason: string): void {
    notes.tls = "refuse"
    notes.tlsReason = reason
    peek.refuse(ACCESS_DENIED, FAULT.tlsRefused)
  }

  private contextOf(leaves: LeafContexts, name: string): NativeContext | null {
    try {
      if (isIP(name) === 0 && !NAME.test(name)) throw new Error("it is no host name")
      return leaves.contextFor(name)
    } catch (error) {
      log.warn("inspect", "no certificate can be made for a name", {
        listener: this.parts.listener,
        name: name.slice(0, 255),
        error: (error as Error).message,
      })
      return null
    }
  }

  private ended(peek: PeekedTunnel, outcome: InsideOutcome, client: string, site: string): void {
    if (!("failure" in outcome)) {
      if (outcome.requests > 0) this.parts.pinned?.clear(client, site)
      else if (outcome.ms < LEFT_AT_ONCE_MS) this.strike(client, site, "it left at once after the handshake")
      return peek.leave(null)
    }
    const { failure, detail } = outcome
    if (failure === "certificate" || failure === "left") this.strike(client, site, detail)
    peek.leave(failure === "certificate" || failure === "left" ? FAULT.certificateRefused : FAULT.handshakeFailed)
  }

  private strike(client: string, site: string, detail: string): void {
    const { pinned, config, listener } = this.parts
    if (pinned === null || config.pinned === null || !pinned.strike(client, site, Date.now())) return
    log.warn("inspect", "a site is not opened any more, because its client does not take our certificate", {
      listener,
      client: config.pinned.by === "host" ? "all" : client,
      host: site,
      ms: config.pinned.for,
      detail,
    })
  }
}

/** What the rules say depends on the site's certificate. */
export const ASKS: Decision = { do: "tunnel", reason: "asks-site" }
const BLOCKED: Decision = { do: "refuse", reason: "blocked" }
const ASKERS_MAX = 10_000
/** What certificates can bear; underscores are nobody's host name, and in use. */
const NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/
/** The preferred one first. */
const PROTOCOLS = ["h2", "http/1.1"]

function isHttp(protocol: string): boolean {
  return protocol === "h2" || protocol === "http/1.1" || protocol === "http/1.0"
}

/** What a decision is remembered by: the host that the tunnel leads to; where that is an address, the name in the hello. */
function siteOf(x: Exchange, notes: Notes): string {
  return isIP(x.host) !== 0 && notes.tlsName !== "" ? notes.tlsName : x.host
}
