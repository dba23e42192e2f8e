/** What a PAC file says. */
export interface PacRules {
  /** What proxies are called in PAC, such as `PROXY proxy.example:3128`, tried in this order. */
  readonly proxies: readonly string[]
  /** Names that clients reach by themselves, with all names below them; lower case. */
  readonly directNames: readonly string[]
  /** IPv4 ranges that clients reach by themselves, as first and last address. */
  readonly directRanges: readonly (readonly [from: number, to: number])[]
  /** Beginnings of IPv6 addresses that clients reach by themselves. */
  readonly directPrefixes: readonly string[]
  /** Names without a dot are those of the local network. */
  readonly plainDirect: boolean
  /** Without any proxy, clients go by themselves. */
  readonly failOpen: boolean
}

/**
 * A proxy auto-configuration file. It looks at the host alone and asks no name server: names that are looked up to find out whether a proxy is used
 * would tell the local network what is visited, and a URL's path is nobody's business.
 */
export function pacScript(rules: PacRules): string {
  const way = [...rules.proxies, ...(rules.failOpen ? ["DIRECT"] : [])].join("; ")
  return `function FindProxyForURL(url, host) {
  var proxy = ${JSON.stringify(way)};
  var names = ${asObject(rules.directNames)};
  var ranges = ${JSON.stringify(rules.directRanges)};
  var prefixes = ${JSON.stringify(rules.directPrefixes)};
  var name = String(host).toLowerCase().replace(/^\\[|\\]$/g, "").replace(/\\.$/, "");
  var i;
  if (name.indexOf(":") >= 0) {
    for (i = 0; i < prefixes.length; i++) if (name.indexOf(prefixes[i]) === 0) return "DIRECT";
    return proxy;
  }
  var octets = /^(\\d{1,3})\\.(\\d{1,3})\\.(\\d{1,3})\\.(\\d{1,3})$/.exec(name);
  if (octets) {
    var address = ((+octets[1] * 256 + +octets[2]) * 256 + +octets[3]) * 256 + +octets[4];
    for (i = 0; i < ranges.length; i++) if (address >= ranges[i][0] && address <= ranges[i][1]) return "DIRECT";
    return proxy;
  }
${rules.plainDirect ? '  if (name.indexOf(".") < 0) return "DIRECT";\n' : ""}  for (;;) {
    if (Object.prototype.hasOwnProperty.call(names, name)) return "DIRECT";
    i = name.indexOf(".");
    if (i < 0) return proxy;
    name = name.substring(i + 1);
  }
}
`
}

function asObject(names: readonly string[]): string {
  return `{${names.map(name => `${JSON.stringify(name)}: 1`).join(", ")}}`
}
