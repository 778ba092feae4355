import { setImmediate as nextTurn } from "node:timers/promises";
import { type Code, ServiceError } from "@plumbline/errors";
import { type ConformanceHandlers, untilAborted } from "@plumbline/rpc/internals";

export const kib = 1_024;
/** The largest message that the soak's servers accept. */
export const maxMessageBytes = kib * kib;
/** The pieces of a stream of bulk. */
export const block = "x".repeat(64 * kib);

/** Executes the first word of a request, and echoes a request with an unknown one. */
export const handlers: ConformanceHandlers = {
  async unary(request, call) {
    const [word = "", argument = ""] = request.split(" ", 2);
    switch (word) {
      case "fail":
        throw new ServiceError(argument as Code, "as you asked", { reason: "ASKED_FOR" });
      case "wait":
        return untilAborted(call);
      case "size":
        return "y".repeat(Number(argument));
      case "metadata":
        call.setHeader("back", call.metadata.get("there") ?? "");
        call.setTrailer("back-bin", call.metadata.getBinary("there-bin") ?? new Uint8Array());
        return "";
      default:
        return request;
    }
  },
  async clientStream(requests) {
    let octets = 0;
    for await (const request of requests) {
      if (request === "enough") break;
      octets += request.length;
    }
    return `${octets}`;
  },
  async *serverStream(request, call) {
    const [word, argument] = request.split(" ", 2);
    const times = word === "endless" ? Number.POSITIVE_INFINITY : Number(argument);
    for (let index = 0; index < times; index++) {
      if (word === "wait") await untilAborted(call);
      if (word === "endless") await nextTurn(); // Without a pause it would use a whole core.
      yield word === "bulk" ? block : `${index}`;
    }
  },
  async *bidiStream(requests) {
    for await (const request of requests) yield request;
  },
};
