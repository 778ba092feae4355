// A static import, because a bundle contains only what is imported.
// @ts-expect-error -- kafkajs's types omit its protocol; `FetchResponse` declares what is used.
import KafkaFetchResponse from "kafkajs/src/protocol/requests/fetch/v11/response.js";
import { readableFetch11 } from "../batches/fetch-response.ts";

/**
 * The part of kafkajs's protocol that is replaced: the decoder of the version that brokers choose.
 */
interface FetchResponse {
  decode: (raw: Buffer) => Promise<unknown>;
}

let done = false;

/**
 * Makes kafkajs read only batches that are within the bounds. kafkajs 2.2.4 inflates gzip without a
 * bound (tulios/kafkajs#1795) and fails on other codecs and on unreadable batches again and again.
 * Replaces the decoder in kafkajs's own module, which all its clients in this process share.
 */
export function readableFetches(): void {
  if (done) return;
  done = true;
  const response = KafkaFetchResponse as FetchResponse;
  const { decode } = response;
  response.decode = async (raw) => await decode(readableFetch11(raw));
}
