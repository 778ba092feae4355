import { status } from "@grpc/grpc-js";
// An internal class, whose types are published.
import { Http2SubchannelCall } from "@grpc/grpc-js/build/src/subchannel-call.js";

/** The parts of grpc-js's call that are replaced here, and those that they use. */
interface Call {
  finalStatus: { readonly code: number; readonly details: string } | null;
  readonly statusOutput: boolean;
  /** `readState` is 0 between two messages. */
  readonly decoder: { readonly readState: number };
  outputStatus: (this: Call) => void;
}

const call = Http2SubchannelCall.prototype as unknown as Call;
const { outputStatus } = call;

/** Fails a call whose response ends within a message, which grpc-js takes for a complete one. */
call.outputStatus = function (this: Call): void {
  const { finalStatus } = this;
  if (!this.statusOutput && finalStatus?.code === status.OK && this.decoder.readState !== 0) {
    this.finalStatus = { ...finalStatus, code: status.INTERNAL, details: "the response ends within a message" };
  }
  outputStatus.call(this);
};
