/** Where clients find the proxy. */
export interface ProxyAddress {
  /** As clients call it: a name, or an address; IPv6 without brackets. */
  readonly host: string
  readonly port: number
  /** Clients speak TLS to it. */
  readonly secure: boolean
  /** It takes SOCKS on the same port. */
  readonly socks: boolean
  /** It asks who they are: `user` or a word that stands for one. */
  readonly login: { readonly user: string; readonly password: string } | null
  /** The path of its PAC file, "" = it gives none. */
  readonly pac: string
  /** Names and ranges that clients reach without it. */
  readonly direct: readonly string[]
}

/** `http://user:password@host:port`. */
export function proxyUrl(at: ProxyAddress, scheme: string = at.secure ? "https" : "http"): string {
  const login = at.login === null ? "" : `${encodeURIComponent(at.login.user)}:${placed(at.login.password)}@`
  return `${scheme}://${login}${authorityOf(at)}`
}

/** A word in capitals stands for what its reader knows; a password is written as a URL wants it. */
function placed(password: string): string {
  return password === "PASSWORD" ? password : encodeURIComponent(password)
}

export function authorityOf({ host, port }: ProxyAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`
}

/** How each kind of client is told of the proxy: ready to be pasted. */
export const readyLines: Readonly<Record<string, (at: ProxyAddress) => string>> = {
  curl: at => {
    const own = `curl -x ${quoted(proxyUrl(at))} https://example.org/\n`
    return at.socks && !at.secure ? `${own}curl -x ${quoted(proxyUrl(at, "socks5h"))} https://example.org/\n` : own
  },
  wget: at => `https_proxy=${quoted(proxyUrl(at))} wget https://example.org/\n`,
  git: at => `git config --global http.proxy ${quoted(proxyUrl(at))}\n# back: git config --global --unset http.proxy\n`,
  npm: at =>
    `npm config set proxy ${quoted(proxyUrl(at))}\nnpm config set https-proxy ${quoted(proxyUrl(at))}\nnpm config set noproxy ${quoted(noProxy(at))}\n`,
  pip: at => `pip config set global.proxy ${quoted(proxyUrl(at))}\n`,
  docker: at => `# ~/.docker/config.json: for containers and builds\n${JSON.stringify(dockerConfig(at), null, 2)}\n`,
  apt: at => `# /etc/apt/apt.conf.d/95proxy\nAcquire::http::Proxy "${proxyUrl(at)}/";\nAcquire::https::Proxy "${proxyUrl(at)}/";\n`,
  systemd: at =>
    `# /etc/systemd/system/NAME.service.d/proxy.conf, then: systemctl daemon-reload && systemctl restart NAME\n[Service]\n` +
    `Environment=${unitWord(`http_proxy=${proxyUrl(at)}`)} ${unitWord(`https_proxy=${proxyUrl(at)}`)} ${unitWord(`no_proxy=${noProxy(at)}`)}\n`,
  windows: at =>
    `rem Settings > Network & Internet > Proxy, or as administrator:\nnetsh winhttp set proxy proxy-server="${authorityOf(at)}" bypass-list="<local>;${at.direct.join(";")}"\n${pacLine(at, "rem Script address: ")}`,
  macos: at =>
    `networksetup -setwebproxy Wi-Fi ${at.host} ${at.port}\nnetworksetup -setsecurewebproxy Wi-Fi ${at.host} ${at.port}\n${at.socks ? `networksetup -setsocksfirewallproxy Wi-Fi ${at.host} ${at.port}\n` : ""}${at.pac === "" ? "" : `networksetup -setautoproxyurl Wi-Fi ${pacUrl(at)}\n`}# back: networksetup -setwebproxystate Wi-Fi off, and so on\n`,
  android: at =>
    `# Settings > Network > Wi-Fi > (network) > Advanced > Proxy: ${at.pac === "" ? `Manual, host ${at.host}, port ${at.port}` : `Auto-config, ${pacUrl(at)}`}\nadb shell settings put global http_proxy ${authorityOf(at)}\n# back: adb shell settings put global http_proxy :0\n`,
  gnome: at =>
    at.pac === ""
      ? `gsettings set org.gnome.system.proxy mode manual\ngsettings set org.gnome.system.proxy.http host ${at.host}\ngsettings set org.gnome.system.proxy.http port ${at.port}\ngsettings set org.gnome.system.proxy.https host ${at.host}\ngsettings set org.gnome.system.proxy.https port ${at.port}\n`
      : `gsettings set org.gnome.system.proxy autoconfig-url ${pacUrl(at)}\ngsettings set org.gnome.system.proxy mode auto\n`,
  firefox: at =>
    at.pac === ""
      ? `Settings > Network Settings > Manual proxy configuration: HTTP Proxy ${at.host}, port ${at.port}, also for HTTPS\n`
      : `Settings > Network Settings > Automatic proxy configuration URL: ${pacUrl(at)}\n`,
  chromium: at => `chromium --proxy-server=${at.secure ? "https" : "http"}://${authorityOf(at)}\n`,
}

/** Shells, and how each sets and forgets a variable. */
export const shells: Readonly<Record<string, { set(name: string, value: string): string; unset(name: string): string }>> = {
  sh: { set: (name, value) => `export ${name}=${quoted(value)}`, unset: name => `unset ${name}` },
  fish: { set: (name, value) => `set -gx ${name} ${quoted(value)}`, unset: name => `set -e ${name}` },
  powershell: { set: (name, value) => `$env:${name} = '${value.replaceAll("'", "''")}'`, unset: name => `Remove-Item Env:${name}` },
  cmd: { set: (name, value) => `set "${name}=${value}"`, unset: name => `set "${name}="` },
}

/** The variables that programs read. Upper case beside lower case, but for HTTP_PROXY, which a CGI script could get from a client (httpoxy). */
export function variables(at: ProxyAddress): readonly (readonly [name: string, value: string])[] {
  const url = proxyUrl(at)
  const none = noProxy(at)
  const all = at.socks && !at.secure ? proxyUrl(at, "socks5h") : url
  return [
    ["http_proxy", url],
    ["https_proxy", url],
    ["HTTPS_PROXY", url],
    ["all_proxy", all],
    ["ALL_PROXY", all],
    ["no_proxy", none],
    ["NO_PROXY", none],
  ]
}

/** What `no_proxy` says: names with all below them, as curl and Go read a leading dot or none, and loopback. */
export function noProxy(at: ProxyAddress): string {
  return ["localhost", "127.0.0.1", "::1", ...at.direct.map(entry => entry.replace(/^\*/, ""))].join(",")
}

function pacUrl(at: ProxyAddress): string {
  return `${at.secure ? "https" : "http"}://${authorityOf(at)}${at.pac}`
}

function pacLine(at: ProxyAddress, before: string): string {
  return at.pac === "" ? "" : `${before}${pacUrl(at)}\n`
}

function dockerConfig(at: ProxyAddress): object {
  const url = proxyUrl(at)
  return { proxies: { default: { httpProxy: url, httpsProxy: url, noProxy: noProxy(at) } } }
}

/** A word of a POSIX shell. */
function quoted(text: string): string {
  return /^[A-Za-z0-9_./:@,%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/** In a unit file % begins a specifier. */
function unitWord(text: string): string {
  return `"${text.replaceAll("%", "%%").replaceAll('"', '\\"')}"`
}
