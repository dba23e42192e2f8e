// HOT

/** Frame types (RFC 9113 section 6, RFC 9218 section 7.1). */
export const DATA = 0
export const HEADERS = 1
export const PRIORITY = 2
export const RST_STREAM = 3
export const SETTINGS = 4
export const PUSH_PROMISE = 5
export const PING = 6
export const GOAWAY = 7
export const WINDOW_UPDATE = 8
export const CONTINUATION = 9
export const PRIORITY_UPDATE = 16

/** Flags. */
export const END_STREAM = 1
export const ACK = 1
export const END_HEADERS = 4
export const PADDED = 8
export const WITH_PRIORITY = 32

/** Error codes (RFC 9113 section 7). */
export const NO_ERROR = 0
export const PROTOCOL_ERROR = 1
export const INTERNAL_ERROR = 2
export const FLOW_CONTROL_ERROR = 3
export const STREAM_CLOSED = 5
export const FRAME_SIZE_ERROR = 6
export const REFUSED_STREAM = 7
export const CANCEL = 8
export const COMPRESSION_ERROR = 9
export const CONNECT_ERROR = 10
export const ENHANCE_YOUR_CALM = 11

/** Settings (RFC 9113 section 6.5.2, RFC 8441 section 3, RFC 9218 section 2.1). */
export const SET_TABLE_SIZE = 1
export const SET_PUSH = 2
export const SET_STREAMS = 3
export const SET_WINDOW = 4
export const SET_FRAME_SIZE = 5
export const SET_HEADER_LIST = 6
export const SET_CONNECT_PROTOCOL = 8
export const SET_NO_PRIORITIES = 9

export const FRAME_HEAD = 9
/** Payload of one frame that we take and send: the least that everybody must take (RFC 9113 section 4.2). */
export const FRAME_BYTES_MAX = 16_384
/** Flow-control window before anybody says otherwise, and the most that one may be. */
export const WINDOW_DEFAULT = 65_535
export const WINDOW_MAX = 0x7fffffff

/** What a client says first (RFC 9113 section 3.4). */
export const PREFACE: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1")
