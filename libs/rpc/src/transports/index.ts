import type { Transport } from "../transport.ts";
import { grpcJs } from "./grpc-js/index.ts";
import { http2 } from "./http2/index.ts";

const transports = { "grpc-js": grpcJs, http2 } satisfies Record<string, Transport>;

/** A transport's name in settings. */
export type TransportName = keyof typeof transports;

/** The transport of servers, clients and services that name none. */
export const defaultTransport: TransportName = "http2";

export const transportNames = Object.keys(transports) as TransportName[];

export function transport(name: TransportName): Transport {
  return transports[name];
}
