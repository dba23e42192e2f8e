/** Cookies of one host, as a browser keeps them: enough for log-ins. */
export class CookieJar {
  readonly cookies = new Map<string, string>()
  /** Every Set-Cookie line that came. */
  readonly lines: string[] = []

  /** Asks as a person's browser does, without following redirections. */
  async visit(url: string, fields: Record<string, string> = {}): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ")
    const headers = { Accept: "text/html", ...(cookie === "" ? {} : { Cookie: cookie }), ...fields }
    const answer = await fetch(url, { headers, redirect: "manual" })
    for (const line of answer.headers.getSetCookie()) this.take(line)
    return answer
  }

  /** Follows redirections between hosts to the first answer that is none; cookies go to hosts with this prefix alone. */
  async follow(url: string, own: string): Promise<Response> {
    let at = url
    for (let hop = 0; hop < 10; hop++) {
      const answer = at.startsWith(own) ? await this.visit(at) : await fetch(at, { redirect: "manual" })
      if (answer.status !== 302) return answer
      at = new URL(answer.headers.get("location")!, at).href
    }
    throw new Error(`${url} leads in circles`)
  }

  private take(line: string): void {
    this.lines.push(line)
    const [pair, ...attributes] = line.split("; ")
    const at = pair!.indexOf("=")
    if (attributes.includes("Max-Age=0")) this.cookies.delete(pair!.slice(0, at))
    else this.cookies.set(pair!.slice(0, at), pair!.slice(at + 1))
  }
}
