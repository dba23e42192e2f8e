import { z } from "zod"
import { count, duration, field, ipFamily, off } from "../../base/index.ts"

const socksUdpSchema = z.strictObject({
  idle: field(duration({ min: 100 }), "60s", "Silence both ways after which a target is forgotten."),
  targetsMax: field(count(1, 100_000), 256, "Targets of one client connection at the same time; datagrams to more are lost."),
  address: field(
    z.string().refine(text => text === "" || ipFamily(text) !== 0, "expected an address"),
    "",
    "Address that clients are told to send their datagrams to. Default: the one that they came to.",
  ),
})

const socksBindSchema = z.strictObject({
  wait: field(duration({ min: 100 }), "60s", "How long a peer is waited for."),
  address: field(
    z.string().refine(text => text === "" || ipFamily(text) !== 0, "expected an address"),
    "",
    "Address that peers are told to connect to; every address is then listened on. Default: the one that the client came to, and only that.",
  ),
})

const forwardSocksLongSchema = z.strictObject({
  versions: field(z.array(z.union([z.literal(4), z.literal(5)])).min(1), [4, 5], "Versions that are taken; 4 stands for 4 and 4a."),
  only: field(z.boolean(), false, "Speaks nothing but SOCKS on this listener."),
  bind: field(
    z.union([off, z.literal(["on", true]).transform((): z.output<typeof socksBindSchema> => socksBindSchema.parse({})), socksBindSchema]),
    "off",
    "Waits for a connection from the host that the client names (BIND), if it might connect there itself; on routes directly to origins. on = all defaults.",
  ),
  udp: field(
    z.union([off, z.literal(["on", true]).transform((): z.output<typeof socksUdpSchema> => socksUdpSchema.parse({})), socksUdpSchema]),
    "off",
    "Relays datagrams (UDP ASSOCIATE): each target is judged as CONNECT-UDP is, by udpPorts and on routes whose upgrade lists connect-udp. on = all defaults.",
  ),
})

export type SocksConfig = z.output<typeof forwardSocksLongSchema>

// `true` means the long form with nothing in it.
export const forwardSocksSchema = z.union([
  z.literal(false).transform((): null => null),
  z.literal(true).transform((): SocksConfig => forwardSocksLongSchema.parse({})),
  forwardSocksLongSchema,
])
