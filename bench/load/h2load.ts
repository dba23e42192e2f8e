import { loadOutput } from "./wrk.ts"

/** Exactly `count` HTTP/1.1 requests over 16 kept connections. */
export async function exactLoad(url: string, count: number): Promise<number> {
  const output = await loadOutput("h2load", ["--h1", "-n", String(count), "-c", "16", url])
  if (!output.includes(`${count} succeeded`)) throw new Error(`h2load ${url}: ${output}`)
  return count
}

/** Exactly `count` HTTP/2 requests over 16 connections, 16 at a time on each. */
export async function exactStreams(url: string, count: number): Promise<number> {
  const output = await loadOutput("h2load", ["-n", String(count), "-c", "16", "-m", "16", url])
  if (!output.includes(`${count} succeeded`)) throw new Error(`h2load ${url}: ${output}`)
  return count
}

/** Exactly `count` requests, each on a connection of its own (HTTP/1.0). */
export async function exactConnections(url: string, count: number): Promise<number> {
  const output = await loadOutput("ab", ["-q", "-n", String(count), "-c", "16", url])
  if (!output.includes("Failed requests:        0") || output.includes("Non-2xx")) throw new Error(`ab ${url}: ${output}`)
  return count
}
