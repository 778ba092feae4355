import { isIP } from "node:net";
import { type ConnectionOptions, connect } from "node:tls";
import { connectMs } from "./options.ts";

/** A request of Kafka's protocol that needs no login: ApiVersions, version 0, of no client. */
const apiVersions = Buffer.from("0000000a0012000000000001ffff", "hex");

/**
 * Returns the error of TLS with which no broker lets this process in, or undefined if one answers
 * or none can be reached.
 *
 * In TLS 1.3 a server judges the client's certificate after the handshake. The client libraries
 * then see a connection that closes, try again for half a minute, and do not know the reason.
 */
export async function tlsFault(brokers: readonly string[], tls: ConnectionOptions): Promise<Error | undefined> {
  const found = await Promise.all(brokers.map((broker) => faultOf(broker, tls)));
  return found.includes("answers") ? undefined : found.find((one) => one instanceof Error);
}

function faultOf(broker: string, tls: ConnectionOptions): Promise<Error | "answers" | undefined> {
  const { promise, resolve } = Promise.withResolvers<Error | "answers" | undefined>();
  const host = broker.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  const port = Number(broker.slice(broker.lastIndexOf(":") + 1));
  const socket = connect({ ...tls, host, port, ...(isIP(host) === 0 && { servername: host }) });
  const timer = setTimeout(() => socket.destroy(), connectMs);
  socket.once("secureConnect", () => socket.write(apiVersions));
  socket.once("data", () => {
    resolve("answers");
    socket.destroy();
  });
  // The alert of the broker, if there is one, or what is wrong with its certificate.
  socket.on("error", (error) => resolve(/alert|certificate/i.test(error.message) ? error : undefined));
  socket.once("close", () => {
    clearTimeout(timer);
    resolve(undefined);
  });
  return promise;
}
