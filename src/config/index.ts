export {
  type AccessLogConfig,
  type AdminConfig,
  type CacheConfig,
  type ClusterConfig,
  type ClusterTlsConfig,
  type Config,
  type ConfigInput,
  configSchema,
  type ForwardConfig,
  type ListenerConfig,
  type ListenerLimits,
  type ListenerTimeouts,
  type ListenerTlsConfig,
  type ObserveConfig,
  type PoolConfig,
  type ResolverConfig,
  type RetryConfig,
  type RouteConfig,
  type UpstreamTimeouts,
} from "./schema.ts"
export type { BindConfig, EndpointConfig } from "./schema/address.ts"
export type { PeerConfig } from "./schema/cluster.ts"
export type { ActiveHealthConfig, HealthConfig, PassiveHealthConfig } from "./schema/health.ts"
export type { LogTarget } from "./schema/observe.ts"
export type { DestinationConfig, FilterUse, MatchConfig, MatcherUse } from "./schema/route.ts"
export { defineConfig } from "./define-config.ts"
export { type ConfigDiff, diffConfig, formatDiff, type NameDiff } from "./diff.ts"
export { type FormatOptions, formatProblems } from "./format-problems.ts"
export { type LoadResult, loadConfig, parseConfig } from "./load.ts"
export type { Problem } from "./problem.ts"
export { configJsonSchema } from "./json-schema.ts"
export { writeReference } from "./reference.ts"
export { healthChecks, logFormats } from "./features.gen.ts"
export { filters } from "./features.gen.ts"
export { compileSnapshot } from "./compile/compile.ts"
export { adoptConnections } from "./compile/compile-clusters.ts"
export type { CompileDeps, SlottedPeer } from "./compile/compile-deps.ts"
export type { Snapshot } from "./compile/snapshot.ts"
export { explain } from "./explain/explain.ts"
export { ExplainError } from "./explain/explain-error.ts"
export type { LiveCluster } from "./explain/dry-peers.ts"
export type * from "./explain/explanation.ts"
export type { ExplainRequest } from "./explain/request-text.ts"
