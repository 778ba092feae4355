import type { Http2Session, Http2Stream } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { SpiffeIdentity } from "../../identity/spiffe.ts";

/** The identities of clients by connection. grpc-js would parse the certificate for each call. */
const identities = new WeakMap<Http2Session, SpiffeIdentity>();
/** True once a server of this process identifies its clients. Until then calls look nothing up. */
let isUsed = false;

export function identifySession(session: Http2Session, identify: (socket: TLSSocket) => SpiffeIdentity): void {
  isUsed = true;
  identities.set(session, identify(session.socket as TLSSocket));
}

/** Returns the identity of a call's connection; undefined if there is none, or it is closed. */
export function identityOfCall(call: object): SpiffeIdentity | undefined {
  if (!isUsed) return undefined;
  const { stream } = (call as { call?: { stream?: Http2Stream } }).call ?? {};
  return stream?.session === undefined ? undefined : identities.get(stream.session);
}
