import { ServiceError } from "@plumbline/errors";

/** The address of one member of an etcd cluster. */
export interface Endpoint {
  /** "10.0.0.1:2379" */
  readonly address: string;
  readonly isSecure: boolean;
}

const pattern = /^(https?):\/\/(\[[0-9a-fA-F:.]+\]|[^\s:/?#@[\]]+)(?::(\d{1,5}))?\/?$/;

/** Parses "http://10.0.0.1:2379" or "https://etcd.internal"; the port is 2379 if there is none. */
export function parseEndpoint(text: string): Endpoint {
  const [, scheme, host, port = "2379"] = pattern.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535) {
    // The text itself is not in the message: it may hold a password.
    throw new ServiceError("invalid_argument", "an endpoint of etcd: expected http://host:port or https://host:port");
  }
  return { address: `${host}:${port}`, isSecure: scheme === "https" };
}
