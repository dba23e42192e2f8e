import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

export interface DemoOrigin {
  readonly name: string
  readonly port: number
  close(): void
}

/** Starts one small server on a free loopback port for each name. They answer who they are and the request as it reached them. */
export async function startDemoOrigins(names: readonly string[]): Promise<DemoOrigin[]> {
  return Promise.all(names.map(startDemoOrigin))
}

async function startDemoOrigin(name: string): Promise<DemoOrigin> {
  const server: Server = createServer((request, response) => answer(name, request, response))
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(0, "127.0.0.1", resolve)
  })
  return {
    name,
    port: (server.address() as AddressInfo).port,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

function answer(name: string, request: IncomingMessage, response: ServerResponse): void {
  request.resume()
  if (request.url === "/healthz") return send(request, response, name, "text/plain; charset=utf-8", "ok\n")
  const accept = request.headers.accept ?? ""
  if (accept.includes("text/html")) return send(request, response, name, "text/html; charset=utf-8", html(name, request))
  if (accept.includes("application/json"))
    return send(request, response, name, "application/json", `${JSON.stringify(seen(name, request), null, 2)}\n`)
  send(request, response, name, "text/plain; charset=utf-8", text(name, request))
}

function send(request: IncomingMessage, response: ServerResponse, name: string, type: string, body: string): void {
  response.writeHead(200, { "Content-Type": type, "Content-Length": Buffer.byteLength(body), "X-Origin": name, Vary: "Accept" })
  response.end(request.method === "HEAD" ? undefined : body)
}

function seen(name: string, request: IncomingMessage) {
  return {
    origin: name,
    method: request.method,
    target: request.url,
    version: request.httpVersion,
    fields: pairs(request).map(([field, value]) => `${field}: ${value}`),
  }
}

function text(name: string, request: IncomingMessage): string {
  const fields = pairs(request).map(([field, value]) => `  ${field}: ${value}\n`)
  return `Hello from origin ${name}. This is the request as it reached me:\n\n  ${request.method} ${request.url} HTTP/${request.httpVersion}\n${fields.join("")}`
}

function html(name: string, request: IncomingMessage): string {
  const rows = pairs(request).map(([field, value]) => `<tr><th>${escaped(field)}<td>${escaped(value)}`)
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Origin ${name}</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:3rem auto;max-width:60rem;padding:0 1rem}
th,td{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0;border-top:1px solid #8884}th{white-space:nowrap}td{overflow-wrap:anywhere}table{border-collapse:collapse}</style>
<h1>Hello from origin ${name}</h1><p>This is the request as it reached me: <code>${escaped(`${request.method} ${request.url}`)}</code></p><table>${rows.join("")}</table></html>
`
}

function pairs(request: IncomingMessage): [string, string][] {
  const found: [string, string][] = []
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) found.push([request.rawHeaders[i]!, request.rawHeaders[i + 1]!])
  return found
}

function escaped(value: string): string {
  return value.replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`)
}
