import { status } from "@grpc/grpc-js";
// An internal class, whose types are published.
import { Http2SubchannelCall } from "@grpc/grpc-js/build/src/subchannel-call.js";

/** The parts of grpc-js's call that are replaced here, and those that they use. */
interface Call {
  finalStatus: { readonly code: number; readonly details: string } | null;
  readonly statusOutput: boolean;
  /** `readState` is 0 between two messages. */
  readonly decoder: { readonly readState: number };
  /** True once the server's trailers have arrived. */
  readonly serverEndedCall: boolean;
  readonly unpushedReadMessages: readonly unknown[];
  readonly isReadFilterPending: boolean;
  readonly isPushPending: boolean;
  readonly http2Stream: { readonly readableLength: number };
  outputStatus: (this: Call) => void;
  maybeOutputStatus: (this: Call) => void;
  startRead: (this: Call) => void;
  cancelWithStatus: (this: Call, code: number, details: string) => void;
}

const call = Http2SubchannelCall.prototype as unknown as Call;
const { cancelWithStatus, maybeOutputStatus, outputStatus, startRead } = call;

const ok: number = status.OK;

/** Calls whose caller has given them up, and wants no more messages. */
const givenUp = new WeakSet<Call>();

/**
 * Returns true while messages wait that the server sent before the error in its trailers. grpc-js
 * drops them: it reports an error at once, and a success after all messages.
 */
function isBehindMessages(one: Call): boolean {
  if (one.finalStatus === null || one.finalStatus.code === ok || !one.serverEndedCall) return false;
  if (givenUp.has(one)) return false;
  const { unpushedReadMessages, isReadFilterPending, isPushPending, http2Stream } = one;
  return unpushedReadMessages.length > 0 || isReadFilterPending || isPushPending || http2Stream.readableLength > 0;
}

call.maybeOutputStatus = function (this: Call): void {
  if (!isBehindMessages(this)) maybeOutputStatus.call(this);
};

/** Reads the next message, also once the error behind it has arrived. */
call.startRead = function (this: Call): void {
  const { finalStatus } = this;
  if (!isBehindMessages(this)) return startRead.call(this);
  this.finalStatus = null;
  startRead.call(this);
  this.finalStatus = finalStatus;
};

call.cancelWithStatus = function (this: Call, code: number, details: string): void {
  givenUp.add(this);
  cancelWithStatus.call(this, code, details);
  this.maybeOutputStatus();
};

/** Fails a call whose response ends within a message, which grpc-js takes for a complete one. */
call.outputStatus = function (this: Call): void {
  const { finalStatus } = this;
  if (!this.statusOutput && finalStatus?.code === status.OK && this.decoder.readState !== 0) {
    this.finalStatus = { ...finalStatus, code: status.INTERNAL, details: "the response ends within a message" };
  }
  outputStatus.call(this);
};
