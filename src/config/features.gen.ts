// Written by tools/gen.ts: every feature folder of every kind. Do not edit; run `npm run gen`.
import type { AnswerDefinition, BalancerDefinition, FilterDefinition, HealthCheckDefinition, LogFormatDefinition, MatcherDefinition } from "../plugin/index.ts"
import matchAlpn from "../route/match/alpn/alpn.ts"
import matchCategory from "../route/match/category/category.ts"
import matchClient from "../route/match/client/client.ts"
import matchCookie from "../route/match/cookie/cookie.ts"
import matchCounter from "../route/match/counter/counter.ts"
import matchDomain from "../route/match/domain/domain.ts"
import matchGroup from "../route/match/group/group.ts"
import matchHeader from "../route/match/header/header.ts"
import matchHost from "../route/match/host/host.ts"
import matchInspected from "../route/match/inspected/inspected.ts"
import matchJa4 from "../route/match/ja4/ja4.ts"
import matchListener from "../route/match/listener/listener.ts"
import matchMethod from "../route/match/method/method.ts"
import matchPath from "../route/match/path/path.ts"
import matchPort from "../route/match/port/port.ts"
import matchQuery from "../route/match/query/query.ts"
import matchScheme from "../route/match/scheme/scheme.ts"
import matchTime from "../route/match/time/time.ts"
import matchTlsName from "../route/match/tls-name/tls-name.ts"
import matchUrl from "../route/match/url/url.ts"
import matchUser from "../route/match/user/user.ts"
import filterAcceptOnly from "../filter/accept-only/accept-only.ts"
import filterAnonymize from "../filter/anonymize/anonymize.ts"
import filterAnyOf from "../filter/any-of/any-of.ts"
import filterApiKey from "../filter/api-key/api-key.ts"
import filterBan from "../filter/ban/ban.ts"
import filterBandwidth from "../filter/bandwidth/bandwidth.ts"
import filterBasicAuth from "../filter/basic-auth/basic-auth.ts"
import filterBodyLog from "../filter/body-log/body-log.ts"
import filterBuffer from "../filter/buffer/buffer.ts"
import filterClientCertFields from "../filter/client-cert-fields/client-cert-fields.ts"
import filterCompress from "../filter/compress/compress.ts"
import filterConcurrencyLimit from "../filter/concurrency-limit/concurrency-limit.ts"
import filterCookies from "../filter/cookies/cookies.ts"
import filterCors from "../filter/cors/cors.ts"
import filterCount from "../filter/count/count.ts"
import filterDecompress from "../filter/decompress/decompress.ts"
import filterErrorPages from "../filter/error-pages/error-pages.ts"
import filterFault from "../filter/fault/fault.ts"
import filterForwardAuth from "../filter/forward-auth/forward-auth.ts"
import filterGrpc from "../filter/grpc/grpc.ts"
import filterGrpcWeb from "../filter/grpc-web/grpc-web.ts"
import filterHeaders from "../filter/headers/headers.ts"
import filterIcap from "../filter/icap/icap.ts"
import filterIpList from "../filter/ip-list/ip-list.ts"
import filterJwt from "../filter/jwt/jwt.ts"
import filterKeywords from "../filter/keywords/keywords.ts"
import filterMaintenance from "../filter/maintenance/maintenance.ts"
import filterMirror from "../filter/mirror/mirror.ts"
import filterOidc from "../filter/oidc/oidc.ts"
import filterPolicy from "../filter/policy/policy.ts"
import filterProxyAuth from "../filter/proxy-auth/proxy-auth.ts"
import filterQuota from "../filter/quota/quota.ts"
import filterRateLimit from "../filter/rate-limit/rate-limit.ts"
import filterReplace from "../filter/replace/replace.ts"
import filterRequestSize from "../filter/request-size/request-size.ts"
import filterRequireCertificate from "../filter/require-certificate/require-certificate.ts"
import filterRewrite from "../filter/rewrite/rewrite.ts"
import filterSafeSearch from "../filter/safe-search/safe-search.ts"
import filterSecurityHeaders from "../filter/security-headers/security-headers.ts"
import filterSensitiveData from "../filter/sensitive-data/sensitive-data.ts"
import answerBlock from "../answer/block/block.ts"
import answerFiles from "../answer/files/files.ts"
import answerPac from "../answer/pac/pac.ts"
import answerRedirect from "../answer/redirect/redirect.ts"
import answerRespond from "../answer/respond/respond.ts"
import balanceConsistentHash from "../upstream/balance/consistent-hash/consistent-hash.ts"
import balanceLeastRequests from "../upstream/balance/least-requests/least-requests.ts"
import balancePowerOfTwo from "../upstream/balance/power-of-two/power-of-two.ts"
import balanceRandom from "../upstream/balance/random/random.ts"
import balanceRoundRobin from "../upstream/balance/round-robin/round-robin.ts"
import healthGrpc from "../upstream/health/grpc/grpc.ts"
import healthHttp from "../upstream/health/http/http.ts"
import healthTcp from "../upstream/health/tcp/tcp.ts"
import formatCombined from "../observe/format/combined/combined.ts"
import formatJson from "../observe/format/json/json.ts"
import formatTemplate from "../observe/format/template/template.ts"

/** Keys under `match:`. */
export const matchers: readonly MatcherDefinition<unknown>[] = [
  matchAlpn,
  matchCategory,
  matchClient,
  matchCookie,
  matchCounter,
  matchDomain,
  matchGroup,
  matchHeader,
  matchHost,
  matchInspected,
  matchJa4,
  matchListener,
  matchMethod,
  matchPath,
  matchPort,
  matchQuery,
  matchScheme,
  matchTime,
  matchTlsName,
  matchUrl,
  matchUser,
]

/** Keys under `filters:`. */
export const filters: readonly FilterDefinition<unknown>[] = [
  filterAcceptOnly,
  filterAnonymize,
  filterAnyOf,
  filterApiKey,
  filterBan,
  filterBandwidth,
  filterBasicAuth,
  filterBodyLog,
  filterBuffer,
  filterClientCertFields,
  filterCompress,
  filterConcurrencyLimit,
  filterCookies,
  filterCors,
  filterCount,
  filterDecompress,
  filterErrorPages,
  filterFault,
  filterForwardAuth,
  filterGrpc,
  filterGrpcWeb,
  filterHeaders,
  filterIcap,
  filterIpList,
  filterJwt,
  filterKeywords,
  filterMaintenance,
  filterMirror,
  filterOidc,
  filterPolicy,
  filterProxyAuth,
  filterQuota,
  filterRateLimit,
  filterReplace,
  filterRequestSize,
  filterRequireCertificate,
  filterRewrite,
  filterSafeSearch,
  filterSecurityHeaders,
  filterSensitiveData,
]

/** Keys under `to:`, beside cluster and origin. */
export const answers: readonly AnswerDefinition<unknown>[] = [
  answerBlock,
  answerFiles,
  answerPac,
  answerRedirect,
  answerRespond,
]

/** Words and keys under `balance:`. */
export const balancers: readonly BalancerDefinition<unknown>[] = [
  balanceConsistentHash,
  balanceLeastRequests,
  balancePowerOfTwo,
  balanceRandom,
  balanceRoundRobin,
]

/** Keys under `health:`. */
export const healthChecks: readonly HealthCheckDefinition<unknown>[] = [
  healthGrpc,
  healthHttp,
  healthTcp,
]

/** Words and keys under `accessLog: format:`. */
export const logFormats: readonly LogFormatDefinition<unknown>[] = [
  formatCombined,
  formatJson,
  formatTemplate,
]
