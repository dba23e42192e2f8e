import { z } from "zod"
import { count, field, listOf, maybe, nameSchema, off } from "../../base/index.ts"
import { cidrSchema, portsSchema } from "./address.ts"

const interfaceSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,14}$/, "expected the name of a network interface, such as eth0")
  .meta({ title: "interface" })

const listenerField = nameSchema.optional().transform(name => name ?? null)

const machineLongSchema = z.strictObject({
  listener: listenerField.describe("Where its connections go: a listener with `forward: { transparent: redirect }`. Default: the only one."),
})

const machineSchema = z.union([
  z.literal(false).transform((): null => null),
  z.literal(true).transform((): z.output<typeof machineLongSchema> => machineLongSchema.parse({})),
  machineLongSchema,
])

const networkSchema = z.strictObject({
  from: field(z.array(cidrSchema), [], "Networks of the clients."),
  interfaces: field(z.array(interfaceSchema), [], "Interfaces that clients come in by."),
  listener: listenerField.describe("Where their connections go: a transparent listener. Default: the only one, tproxy before redirect."),
})

/** Rules of nftables that bring connections to transparent listeners. */
export const captureSchema = z.strictObject({
  apply: field(
    z.enum(["run", "manual"]),
    "run",
    "Who makes the rules: the proxy when it has started, and takes them back when it stops; or the command `bothways capture apply`.",
  ),
  machine: field(
    machineSchema,
    false,
    "Captures what this machine opens itself. Needs `user` or `mark`, so that the proxy's own connections get out.",
  ),
  network: maybe(networkSchema, "Captures what other machines open through this one, their gateway."),
  ports: field(z.array(portsSchema).min(1), ["1-65535"], "TCP ports that are captured."),
  dns: field(
    z.union([off, nameSchema]),
    "auto",
    "The listener that DNS queries (port 53) go to; auto = the only listener with `dns`, off = they are treated like any other.",
  ),
  udp: field(
    z.enum(["reject", "quic", "pass"]),
    "reject",
    "What becomes of UDP, which is not captured: all of it is rejected (but for DNS, DHCP and answers), only port 443 is (clients then use TCP), or it passes.",
  ),
  ipv6: field(z.enum(["capture", "reject"]), "capture", "IPv6 is captured like IPv4, or rejected, so that clients use IPv4."),
  spare: field(
    listOf(cidrSchema).or(z.array(cidrSchema).max(0)),
    [],
    "Networks that are reached without the proxy, such as the exit's address or a printer's.",
  ),
  user: maybe(
    z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$|^[0-9]{1,10}$/, "expected a user's name or number"),
    "The user that the proxy runs as, whose connections are not captured. All that this user opens is free.",
  ),
  mark: field(
    count(0, 0xffff_ffff),
    0,
    "Mark of the proxy's own connections (SO_MARK), which are not captured; 0 = none. For a proxy that runs as root; needs CAP_NET_ADMIN.",
  ),
  killSwitch: field(
    z.boolean(),
    true,
    "What is not captured does not leave, and the rules outlive a crash: nothing goes out beside the proxy until it runs again, or until `bothways capture remove`. false = ports that are not captured pass, and the rules go with the proxy, however it ends.",
  ),
})
