export { Fields } from "./fields.ts"
export { BODY_CHUNKED, BODY_CLOSE, BODY_LENGTH, BODY_NONE, BODY_TUNNEL, type BodyKind, type Message } from "./message.ts"
export { NAME, nameId, nameOf } from "./names.ts"
export type { Downstream, TunnelEnd, TunnelReceiver, Upstream } from "./sides.ts"
