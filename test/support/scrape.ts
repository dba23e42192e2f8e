import type { Bothways } from "./bothways.ts"

/** The samples of the metrics page: value by `name{labels}` as it is written there. */
export async function scrape(proxy: Bothways): Promise<ReadonlyMap<string, number>> {
  const text = await (await proxy.ask("/metrics")).text()
  const samples = text.split("\n").filter(line => line !== "" && !line.startsWith("#"))
  return new Map(samples.map(line => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]))
}
