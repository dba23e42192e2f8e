import { parseDuration } from "../../base/index.ts"
import { describeProblem, type ReloadOutcome } from "../reload.ts"
import { cacheChangers, cacheReaders, type CacheView } from "./cache-routes.ts"
import { type AdminAnswer, type AdminFeature, type AdminHandler, adminJson } from "./admin-feature.ts"
import type { Status } from "./status.ts"

/** What the admin listener can see and do. */
export interface AdminView {
  ready(): boolean
  draining(): boolean
  /** The page in the Prometheus text format. */
  metrics(): string
  status(): Promise<Status>
  /** The effective config, secrets redacted. */
  config(): unknown
  reload(): Promise<ReloadOutcome>
  /** Starts to drain and leaves; null = the config's limit. */
  drain(timeoutMs: number | null): void
  /** Ends a worker at once; false when there is none with this index. */
  terminateWorker(index: number): boolean
  readonly caches: CacheView
  /** What features add. */
  readonly features: readonly AdminFeature[]
}

type Handler = (view: AdminView, query: URLSearchParams, argument: string) => AdminAnswer | Promise<AdminAnswer>

const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

const readers: Readonly<Record<string, Handler>> = {
  "/": ({ features }) =>
    json(200, {
      bothways: "admin",
      read: [...Object.keys(readers).slice(1), ...features.flatMap(({ read = {} }) => Object.keys(read))],
      change: [
        ...["/reload", "/drain", "/workers/N/terminate", ...Object.keys(cacheChangers)],
        ...features.flatMap(({ change = {} }) => Object.keys(change)),
      ],
    }),
  "/healthz": () => text(200, "ok\n"),
  "/readyz": view => (view.draining() ? text(503, "draining\n") : view.ready() ? text(200, "ready\n") : text(503, "not ready\n")),
  "/metrics": view => ({ status: 200, type: METRICS_TYPE, body: view.metrics() }),
  "/status": async view => json(200, await view.status()),
  "/config": view => json(200, view.config()),
  ...ofCaches(cacheReaders),
}

const changers: Readonly<Record<string, Handler>> = {
  ...ofCaches(cacheChangers),
  "/reload": async view => {
    const outcome = await view.reload()
    if (outcome.ok)
      return json(200, { ok: true, version: outcome.version, changed: outcome.changed, warnings: outcome.warnings.map(describeProblem) })
    return json(422, {
      ok: false,
      version: outcome.version,
      error: "the config was refused; the old one stays",
      problems: outcome.problems.map(describeProblem),
    })
  },
  "/drain": (view, query) => {
    const given = query.get("timeout")
    const timeoutMs = given === null ? null : parseDuration(given)
    if (given !== null && timeoutMs === null) return json(400, { error: "timeout: expected a duration such as 10s" })
    view.drain(timeoutMs)
    return json(202, { ok: true, draining: true })
  },
  "/workers/*/terminate": (view, _query, argument) => {
    if (!/^\d{1,4}$/.test(argument) || !view.terminateWorker(Number(argument))) return json(404, { error: `there is no live worker ${argument}` })
    return json(202, { ok: true, worker: Number(argument) })
  },
}

/** Handlers of the caches, of which the admin view is one part. */
function ofCaches(handlers: Readonly<Record<string, (view: CacheView, query: URLSearchParams) => Promise<AdminAnswer>>>): Record<string, Handler> {
  return Object.fromEntries(
    Object.entries(handlers).map(([path, handler]): [string, Handler] => [path, (view, query) => handler(view.caches, query)]),
  )
}

/** Answers a request that the guard let through. */
export async function answerAdmin(view: AdminView, method: string, path: string, query: URLSearchParams): Promise<AdminAnswer> {
  const reading = method === "GET" || method === "HEAD"
  const worker = /^\/workers\/([^/]{1,20})\/terminate$/.exec(path)
  const key = worker === null ? path : "/workers/*/terminate"
  const reader = Object.hasOwn(readers, key) ? readers[key] : featureHandler(view, "read", key)
  const changer = Object.hasOwn(changers, key) ? changers[key] : featureHandler(view, "change", key)
  if (reader === undefined && changer === undefined) return json(404, { error: `there is nothing at ${path}`, see: "/" })
  if (reading && reader !== undefined) return reader(view, query, "")
  if (method === "POST" && changer !== undefined) return changer(view, query, worker?.[1] ?? "")
  return { ...json(405, { error: `${method} is not for ${path}` }), allow: reader === undefined ? "POST" : "GET, HEAD" }
}

function featureHandler({ features }: AdminView, kind: keyof AdminFeature, path: string): Handler | undefined {
  for (const feature of features) {
    const handlers: Readonly<Record<string, AdminHandler>> = feature[kind] ?? {}
    const handler = Object.hasOwn(handlers, path) ? handlers[path] : undefined
    if (handler !== undefined) return (_view, query) => handler(query)
  }
  return undefined
}

const json = adminJson

function text(status: number, body: string): AdminAnswer {
  return { status, type: "text/plain; charset=utf-8", body }
}
