// The suite's client asks through a function of the shape of `fetch`. This one sends each request on a connection of its own, in absolute-form to a forward proxy,
// and shows the fields as they came.
import { request } from "node:http"

const timeoutMs = 10_000

/** `proxy` is `host:port` of a forward proxy, or null to ask the URL's own host. */
export function makeFetch(proxy) {
  return async (url, init = {}) => {
    const target = aim(new URL(url), proxy)
    const response = init.dispatcher ? await dispatch(target, init) : await exchange(target, init)
    // Every test that redirects says that it looks at the redirect itself.
    if (response.headers.has("location") && /^30[12378]$/.test(response.status) && init.redirect !== "manual")
      throw new Error(`redirect to ${response.headers.get("location")}`)
    return response
  }
}

function aim(url, proxy) {
  const [hostname, port] = (proxy ?? url.host).split(":")
  return { hostname, port, host: url.host, path: proxy === null ? url.pathname + url.search : url.href }
}

function fieldsOf(target, init) {
  const fields = [["Host", target.host], ["Accept", "*/*"], ["User-Agent", "http-cache-tests"], ...(init.headers ?? [])]
  if (init.body !== undefined) fields.push(["Content-Length", String(Buffer.byteLength(init.body))])
  return fields
}

function exchange(target, init) {
  return new Promise((resolve, reject) => {
    const options = { hostname: target.hostname, port: target.port, path: target.path, method: init.method ?? "GET", agent: false }
    const sent = request({ ...options, headers: [...fieldsOf(target, init), ["Connection", "close"]].flat() }, incoming => {
      const chunks = []
      incoming.on("data", chunk => chunks.push(chunk))
      incoming.on("error", reject)
      incoming.on("end", () => {
        clearTimeout(timer)
        resolve(asResponse(incoming.statusCode, incoming.statusMessage, pairs(incoming.rawHeaders), Buffer.concat(chunks)))
      })
    })
    const timer = setTimeout(() => sent.destroy(new Error(`no whole answer to ${options.method} ${target.path} within ${timeoutMs} ms`)), timeoutMs)
    sent.on("error", reject)
    sent.end(init.body)
  })
}

/** Newer copies of the suite bring a dispatcher of undici that takes note of interim responses. */
async function dispatch(target, init) {
  const headers = fieldsOf(target, init).flat()
  const options = { origin: `http://${target.hostname}:${target.port}`, path: target.path, method: init.method ?? "GET", headers }
  const { statusCode, headers: received, body } = await init.dispatcher.request(options)
  const fields = Object.entries(received).flatMap(([name, values]) => [values].flat().map(value => [name, value]))
  return asResponse(statusCode, "", fields, Buffer.from(await body.arrayBuffer()))
}

// `Response` refuses statuses above 599, of which the suite has one.
function asResponse(status, statusText, fields, body) {
  return { status, statusText, headers: new Headers(fields), text: async () => body.toString("utf8") }
}

function pairs(flat) {
  const all = []
  for (let i = 0; i < flat.length; i += 2) all.push([flat[i], flat[i + 1]])
  return all
}
