/** Error codes (RFC 9114 section 8.1). */
export const H3_NO_ERROR = 0x100
export const H3_GENERAL_PROTOCOL_ERROR = 0x101
export const H3_INTERNAL_ERROR = 0x102
export const H3_EXCESSIVE_LOAD = 0x107
export const H3_REQUEST_REJECTED = 0x10b
export const H3_REQUEST_CANCELLED = 0x10c
export const H3_MESSAGE_ERROR = 0x10e
export const H3_CONNECT_ERROR = 0x10f
/** RFC 9297 section 2.1. */
export const H3_DATAGRAM_ERROR = 0x33
