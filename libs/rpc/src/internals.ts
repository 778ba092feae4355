/**
 * Parts of this library that only the soak and the comparison of transports use (tests/soak,
 * tests/bench): they count live objects and drive a transport without `serve` and `createClient`.
 * No promise covers them, and no app imports them.
 */
export { Conformance, type ConformanceHandlers, untilAborted } from "./conformance/test-context.ts";
export { pathOf } from "./definition.ts";
export { ok } from "./status.ts";
export { StreamIncoming, UnaryIncoming } from "./transports/http2/incoming.ts";
export { StreamOutgoing } from "./transports/http2/stream-outgoing.ts";
export { Subchannel } from "./transports/http2/subchannel.ts";
export { UnaryOutgoing } from "./transports/http2/unary-outgoing.ts";
export { transport } from "./transports/index.ts";
