import type { AddressInfo, Server } from "node:net";
import { ServiceError } from "@plumbline/errors";

interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Listens, and resolves with the port. Rejects with `unavailable` if the address cannot be bound.
 */
export function bind(server: Server, address: Address): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once("error", (cause) => reject(cannotOpen(address, cause)));
  server.listen({ host: address.host, port: address.port }, () => resolve((server.address() as AddressInfo).port));
  return promise;
}

export function cannotOpen(address: Address, cause: Error): ServiceError {
  const message = `the rpc address ${written(address)} cannot be opened: ${reasonOf(cause.message)}`;
  return new ServiceError("unavailable", message, { cause });
}

/** Formats an address as host:port. */
export function written({ host, port }: Address): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function reasonOf(message: string): string {
  if (message.includes("EADDRINUSE")) return "another process uses it";
  if (message.includes("EACCES")) return "permission denied";
  return message;
}
