import type { Message } from "@plumbline/messaging";
import { toMessage } from "../src/event-messages.ts";
import { MemoryFulfilments } from "../src/memory/fulfilments.ts";
import { fulfilmentsContract } from "./fulfilments.ts";

fulfilmentsContract("memory", async () => {
  const messages: Message[] = [];
  const fulfilments = new MemoryFulfilments((fulfilment) => {
    const message = toMessage(fulfilment);
    if (message !== undefined) messages.push(message);
  });
  return { fulfilments, announced: async () => messages, [Symbol.asyncDispose]: async () => {} };
});
