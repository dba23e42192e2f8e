import { type Config, standInMemory } from "../../config/index.ts"
import { StandIns } from "../../net/index.ts"
import type { ExtraSample } from "../../observe/index.ts"
import type { ControlFeature } from "../features.ts"
import type { Zones } from "../shared-zones.ts"

/** Tells how the memory of DNS listeners stands. */
export function dnsFeature(zones: Zones): ControlFeature {
  let live: Config | null = null
  return {
    follow: config => void (live = config),
    samples: () => (live === null ? [] : Object.entries(live.listeners).flatMap(([name, listener]) => samplesOf(name, listener, zones))),
  }
}

function samplesOf(name: string, listener: Config["listeners"][string], zones: Zones): ExtraSample[] {
  const memory = standInMemory(name, listener)
  const zone = memory === null ? undefined : zones.get(memory.key)
  if (memory === null || zone === undefined) return []
  const { known, refused, givenUp } = new StandIns(zone, memory.options)
  const labels = { listener: name }
  return [
    { metric: "bothways_dns_names", kind: "gauge", help: "Names that have an address that stands for them.", labels, value: known },
    {
      metric: "bothways_dns_names_refused_total",
      kind: "counter",
      help: "Queries for names that got no address, because all places were in use.",
      labels,
      value: refused,
    },
    { metric: "bothways_dns_names_given_up_total", kind: "counter", help: "Names whose place another one took.", labels, value: givenUp },
  ]
}
