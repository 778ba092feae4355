export { Connection, type ConnectionHandler, type ConnectionOptions } from "./connection.ts";
export { ConnectionError, ErrorCode, errorName, StreamError } from "./error-code.ts";
export { HeaderField } from "./hpack/field.ts";
export type { KeepaliveOptions } from "./keepalive.ts";
export { type Holder, type Peer, Peers, type PeersOptions } from "./peers.ts";
export { createListener, dial } from "./sockets.ts";
export type { Http2Stream, StreamHandler } from "./stream.ts";
