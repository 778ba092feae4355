import { constants, type ServerHttp2Stream } from "node:http2";
import { Metadata, status } from "@grpc/grpc-js";
// An internal class, whose types are published.
import { BaseServerInterceptingCall } from "@grpc/grpc-js/build/src/server-interceptors.js";
import { accountOf } from "./accounts.ts";

interface QueueEntry {
  readonly compressedMessage: Buffer | null;
}

/** The parts of grpc-js's call that are replaced here, and those that they use. */
interface Call {
  readonly stream: ServerHttp2Stream;
  readonly incomingEncoding: string;
  readonly decoder: Decoder;
  readonly readQueue: QueueEntry[];
  readonly receivedHalfClose: boolean;
  readonly metadataSent: boolean;
  /** True once a status waits for the answers before it. */
  readonly wantTrailers: boolean;
  /** True once the call is over. */
  readonly cancelled: boolean;
  handleDataFrame: (this: Call, data: Buffer) => void;
  handleEndEvent: (this: Call) => void;
  decompressAndMaybePush: (this: Call, entry: QueueEntry) => Promise<void>;
  maybePushNextMessage: (this: Call) => void;
  sendMessage: (this: Call, message: Buffer, callback: () => void) => void;
  sendStatus: (this: Call, status: SentStatus) => void;
}

interface SentStatus {
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata | null;
}

interface Decoder {
  /** 0 between two messages, 1 within the octets before one, 2 within one. */
  readonly readState: number;
}

const call = BaseServerInterceptingCall.prototype as unknown as Call;
const { decompressAndMaybePush, handleDataFrame, handleEndEvent, maybePushNextMessage, sendMessage, sendStatus } = call;

function fail(call: Call, code: number, details: string, metadata: Metadata | null = null): void {
  call.sendStatus({ code, details, metadata });
}

/** The encodings of grpc-js. It names them in answers, but not to a caller that uses another. */
const encodings = ["identity", "deflate", "gzip"];

/** Counts what arrives, until it is read. */
call.handleDataFrame = function (this: Call, data: Buffer): void {
  if (this.cancelled) return;
  if (accountOf(this.stream)?.hold(data.length) === false) {
    return fail(this, status.RESOURCE_EXHAUSTED, "the server has no memory for more of this request");
  }
  handleDataFrame.call(this, data);
};

/** Ends a call whose requests end within a message, which grpc-js takes for a complete one. */
call.handleEndEvent = function (this: Call): void {
  if (this.decoder.readState !== 0) return fail(this, status.INTERNAL, "the request ends within a message");
  handleEndEvent.call(this);
};

/**
 * Refuses a message whose flag contradicts the encoding, which grpc-js passes on as it is, and one
 * in an encoding that it does not read.
 */
call.decompressAndMaybePush = function (this: Call, entry: QueueEntry): Promise<void> {
  const flag = entry.compressedMessage?.[0] ?? 0;
  const { incomingEncoding } = this;
  if (flag === 1 && !encodings.includes(incomingEncoding)) {
    const accepted = new Metadata();
    accepted.set("grpc-accept-encoding", encodings.join());
    fail(this, status.UNIMPLEMENTED, `grpc-encoding ${incomingEncoding} is not supported`, accepted);
    return Promise.resolve();
  }
  if (flag === 0 || (flag === 1 && incomingEncoding !== "identity")) {
    return decompressAndMaybePush.call(this, entry);
  }
  const why = "a compressed message, although the encoding is identity";
  fail(this, status.INTERNAL, flag === 1 ? why : `the octet before a message is ${flag}, not 0 or 1`);
  return Promise.resolve();
};

/** Gives back the octets of a message that is read. */
call.maybePushNextMessage = function (this: Call): void {
  const first = this.readQueue[0];
  maybePushNextMessage.call(this);
  if (first === undefined || first === this.readQueue[0]) return;
  const { compressedMessage } = first;
  if (compressedMessage !== null) accountOf(this.stream)?.release(compressedMessage.length);
};

/** Counts an answer until it is sent. */
call.sendMessage = function (this: Call, message: Buffer, callback: () => void): void {
  const account = accountOf(this.stream);
  const octets = message.length;
  if (account?.holdAnswer(octets) === false) {
    return fail(this, status.UNAVAILABLE, "the server has no memory for another answer that waits for its client");
  }
  sendMessage.call(this, message, () => {
    account?.answerSent(octets);
    callback();
  });
};

/**
 * Closes a call that is answered before its request is complete, since the rest is not wanted. A
 * success has no message: grpc-js sends "OK".
 */
call.sendStatus = function (this: Call, status: SentStatus): void {
  const { stream, metadataSent } = this;
  const isFirst = !this.wantTrailers && !this.cancelled;
  sendStatus.call(this, status.code === 0 ? { ...status, details: "" } : status);
  if (!isFirst || this.receivedHalfClose || stream.destroyed) return;
  if (metadataSent) stream.once("wantTrailers", () => closeSoon(stream));
  else closeSoon(stream);
};

function closeSoon(stream: ServerHttp2Stream): void {
  setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
}
