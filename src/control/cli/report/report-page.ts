import { escapeHtml } from "../../../flow/index.ts"
import { count, octets, percent } from "../cache/cell.ts"
import { barPlot, timePlot } from "./plots.ts"
import { local } from "./report-text.ts"
import type { Dimension, Sums, Tally } from "./tally.ts"

const style = `
:root { color-scheme: light dark; --ink: #1c2733; --soft: #64748b; --line: #dde3ea; --all: #8fb8de; --part: #c2410c; --paper: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e5ebf1; --soft: #94a3b8; --line: #334155; --all: #3b6ea5; --part: #fb923c; --paper: #10171f } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 820px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: 0 } h2 { font-size: 1.1rem; margin: 2.2rem 0 .5rem } p.span { color: var(--soft); margin-top: .2rem }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: .8rem; margin: 1.5rem 0 }
dl div { border: 1px solid var(--line); border-radius: 8px; padding: .6rem .8rem } dt { color: var(--soft); font-size: .8rem } dd { margin: 0; font-size: 1.25rem }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif } svg text { fill: var(--ink) } svg text.value { fill: var(--soft) }
rect.all { fill: var(--all) } rect.part { fill: var(--part) } line.grid { stroke: var(--line) }
table { border-collapse: collapse; width: 100%; font-size: .85rem } th, td { text-align: right; padding: .25rem .5rem; border-bottom: 1px solid var(--line) }
th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere } th { color: var(--soft); font-weight: 500 }
details { margin-top: .5rem } summary { cursor: pointer; color: var(--soft) } footer { color: var(--soft); font-size: .8rem; margin: 3rem 0 }
`

const titles: Readonly<Record<Dimension, string>> = {
  user: "Users",
  group: "Groups",
  client: "Clients",
  site: "Sites",
  host: "Hosts",
  category: "Categories",
  rule: "Rules",
  exit: "Exits",
  route: "Routes",
  status: "Statuses",
  hour: "Hours of the day",
  day: "Days",
  weekday: "Days of the week",
}

const overTime: ReadonlySet<Dimension> = new Set<Dimension>(["hour", "day", "weekday"])

/** The report as one page that needs nothing else: no script, no picture and no font from elsewhere. */
export function reportPage(tally: Tally, top: number, made: Date): string {
  const { all, firstMs, lastMs } = tally
  const span = firstMs === Infinity ? "no requests" : `${local(firstMs)} to ${local(lastMs)}`
  const parts = [...tally.by.keys()].map(dimension => section(tally, dimension, top)).join("")
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Proxy report</title><style>${style}</style></head>
<body><h1>Proxy report</h1><p class="span">${escapeHtml(span)}</p>${cards(all)}${parts}
<footer>Made ${escapeHtml(local(made.getTime()))} from the access log. Bars are requests; the dark part was blocked.</footer></body></html>
`
}

function cards(all: Sums): string {
  const share = (part: number): string => (all.requests === 0 ? "" : ` · ${percent(part / all.requests)}`)
  const entries: [string, string][] = [
    ["Requests", count(all.requests)],
    ["Received", octets(all.received)],
    ["Sent", octets(all.sent)],
    ["Blocked", `${count(all.blocked)}${share(all.blocked)}`],
    ["Failed", `${count(all.failed)}${share(all.failed)}`],
    ["From the cache", `${count(all.cached)}${share(all.cached)}`],
  ]
  return `<dl>${entries.map(([name, value]) => `<div><dt>${name}</dt><dd>${escapeHtml(value)}</dd></div>`).join("")}</dl>`
}

function section(tally: Tally, dimension: Dimension, top: number): string {
  const groups = tally.sorted(dimension, "requests")
  if (groups.length === 0) return ""
  const shown = overTime.has(dimension) ? groups : groups.slice(0, top)
  const bars = shown.map(([label, sums]) => ({ label, value: sums.requests, part: sums.blocked, title: titleOf(label, sums) }))
  const plot = overTime.has(dimension) ? timePlot(bars, count) : barPlot(bars, count)
  const more = groups.length - shown.length
  return `<section><h2>${titles[dimension]}</h2>${plot}${more > 0 ? `<p class="span">and ${count(more)} more</p>` : ""}${tableOf(titles[dimension], shown)}</section>`
}

function titleOf(label: string, sums: Sums): string {
  return `${label}: ${count(sums.requests)} requests, ${count(sums.blocked)} blocked, ${octets(sums.received)} received, ${octets(sums.sent)} sent`
}

function tableOf(title: string, groups: readonly (readonly [string, Sums])[]): string {
  const cells = (values: readonly string[], tag: string): string =>
    `<tr>${values.map(value => `<${tag}>${escapeHtml(value)}</${tag}>`).join("")}</tr>`
  const rows = groups.map(([key, sums]) =>
    cells([key, count(sums.requests), count(sums.blocked), count(sums.failed), count(sums.cached), octets(sums.received), octets(sums.sent)], "td"),
  )
  const heading = cells([title, "Requests", "Blocked", "Failed", "Cached", "Received", "Sent"], "th")
  return `<details><summary>Table</summary><table>${heading}${rows.join("")}</table></details>`
}
