export { type AnswerDefinition, type AnswerDeps, defineAnswer } from "./answer.ts"
export { type Balancer, type BalancerDefinition, type BalancerKey, type BalancerPeer, defineBalancer, type Tried } from "./balancer.ts"
export {
  type ClusterHandle,
  defineFilter,
  type Filter,
  type FilterDefinition,
  type FilterDeps,
  type Lines,
  type OptionProblem,
  type OwnDone,
  type PhaseVerdict,
} from "./filter.ts"
export type { Lists, ListUse, NameList } from "./lists.ts"
export { defineHealthCheck, type HealthCheckDefinition, type HealthTarget } from "./health-check.ts"
export { defineLogFormat, type LogFormatDefinition, type LogFormatter, type LogSink } from "./log-format.ts"
export { type BlockPageOptions, blockPageOverrides, blockPageSchema, blockPageWords, compileBlockPage } from "./block-page.ts"
export type { CompiledMatch, MatchUse } from "./match-use.ts"
export { defineMatcher, type Match, type MatcherDefinition, type MatcherDeps } from "./matcher.ts"
export type { Reading, ReadingDefinition, Readings } from "./reading.ts"
