import { accessSync, constants } from "node:fs"
import { dirname, resolve } from "node:path"
import { FileError, readDataFile } from "../../base/index.ts"
import { HtpasswdError, type LoginOptions, parseHtpasswd } from "../../filter/index.ts"
import type { OptionProblem } from "../../plugin/index.ts"
import { type CertificateProblem, certificateProblems, clientTlsProblems } from "../../net/index.ts"
import { answers, filters } from "../features.gen.ts"
import { type ConfigPath, type Finding, valueAt } from "../problem.ts"
import type { FilterUse } from "../schema/route.ts"
import type { ListenerConfig } from "../schema.ts"
import { error, type Subject, warning } from "./subject.ts"

/** Files that the config names: there, readable, of the right kind, and fitting together. */
export function checkFiles(subject: Subject): Finding[] {
  const { config, routeIndex } = subject
  return [
    ...Object.entries(config.listeners).flatMap(([name, listener]) => checkListener(["listeners", name], listener, subject)),
    ...Object.entries(config.clusters).flatMap(([name, cluster]) =>
      cluster.tls ? tlsFindings(["clusters", name, "tls"], clientTlsProblems(cluster.tls)) : [],
    ),
    ...config.routes.flatMap(({ to }, i) => (to.kind === "answer" ? checkAnswer(["routes", routeIndex[i]!, "to", to.name], to) : [])),
    ...config.routes.flatMap((route, i) =>
      route.filters.flatMap((use, j) => checkFilter(["routes", routeIndex[i]!, "filters", j, use.name], use, subject)),
    ),
    ...checkLogFile(config.observe.accessLog.to),
  ]
}

function checkListener(at: ConfigPath, { tls, forward }: ListenerConfig, subject: Subject): Finding[] {
  const users = forward?.auth ? checkLogin([...at, "forward", "auth"], forward.auth, subject) : []
  if (tls === null) return users
  const { certificates, minVersion, clientCertificates } = tls
  const options = {
    certificates,
    minVersion,
    ...(tls.ciphers === null ? {} : { ciphers: tls.ciphers }),
    clientCertificates: clientCertificates ?? "off",
  } as const
  return [...tlsFindings([...at, "tls"], certificateProblems(options)), ...users]
}

function checkLogin(at: ConfigPath, auth: LoginOptions, { baseDir }: Subject): Finding[] {
  const problems = filters.find(filter => filter.name === "proxy-auth")?.problems?.(auth, path => resolve(baseDir, path)) ?? []
  return [...(auth.htpasswd === undefined ? [] : checkUsers([...at, "htpasswd"], auth.htpasswd)), ...problemFindings(at, problems)]
}

/** The words of those who will use the files. */
function tlsFindings(at: ConfigPath, problems: readonly CertificateProblem[]): Finding[] {
  return problems.map(problem => (problem.severity === "error" ? error : warning)([...at, ...problem.at], problem.text))
}

/** Several filters ask for passwords, each with its file under this key; what is missing must show when the config is checked, not first when it is used. */
function checkFilter(at: ConfigPath, { name, options, inline }: FilterUse, { baseDir }: Subject): Finding[] {
  if (inline !== null) return []
  const problems = filters.find(filter => filter.name === name)?.problems?.(options, path => resolve(baseDir, path)) ?? []
  const file = valueAt(options, ["htpasswd"])
  return [...problemFindings(at, problems), ...(typeof file === "string" ? checkUsers([...at, "htpasswd"], resolve(baseDir, file)) : [])]
}

function problemFindings(at: ConfigPath, problems: readonly OptionProblem[]): Finding[] {
  return problems.map(problem => (problem.severity === "error" ? error : warning)([...at, ...problem.at], problem.text))
}

function checkUsers(at: ConfigPath, file: string): Finding[] {
  try {
    parseHtpasswd(readDataFile(file), file)
    return []
  } catch (failure) {
    if (!(failure instanceof HtpasswdError || failure instanceof FileError)) throw failure
    return [error(at, failure.message)]
  }
}

function checkAnswer(at: ConfigPath, { name, options }: { name: string; options: unknown }): Finding[] {
  return problemFindings(at, answers.find(answer => answer.name === name)?.problems?.(options) ?? [])
}

function checkLogFile(target: { kind: string; path?: string }): Finding[] {
  if (target.path === undefined) return []
  try {
    accessSync(dirname(target.path), constants.W_OK)
    return []
  } catch {
    return [error(["observe", "accessLog", "to", "file"], `the directory ${dirname(target.path)} does not exist or cannot be written to`)]
  }
}
