// Messages of grpc.health.v1 in the protobuf wire format, each behind the five octets that gRPC puts before a message (compressed, length).

const PREFIX = 5
const SERVING_STATUS = 8 // field 1, varint

/** HealthCheckRequest for a service; "" asks for the server as a whole. */
export function healthRequest(service: string): Buffer {
  const name = Buffer.from(service, "utf8")
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name])
  const prefix = Buffer.alloc(PREFIX)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

function varint(value: number): Buffer {
  const octets: number[] = []
  let rest = value
  for (; rest > 127; rest >>>= 7) octets.push((rest & 127) | 128)
  return Buffer.from([...octets, rest])
}

const statuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"] as const

/** The status that a HealthCheckResponse says; null when the octets are none that can be read. */
export function healthStatus(octets: Buffer): string | null {
  if (octets.length < PREFIX || octets[0] !== 0 || octets.readUInt32BE(1) !== octets.length - PREFIX) return null
  if (octets.length === PREFIX) return statuses[0]
  return octets[PREFIX] === SERVING_STATUS && octets.length === PREFIX + 2 ? (statuses[octets[PREFIX + 1]!] ?? null) : null
}
