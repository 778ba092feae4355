import { type Client, Connection } from "pg";

/** What pg keeps to itself of a connection: the numbers that a cancel request names it by. */
interface Target {
  readonly host: string;
  readonly port: number;
  readonly processID: number;
  readonly secretKey: number;
  readonly ssl: unknown;
  readonly sslNegotiation: string;
  readonly connection: { readonly stream: { readonly remoteAddress?: string } };
}

interface Wire {
  readonly stream: { destroy(error?: Error): void };
  connect(port: number | string, host?: string): void;
  requestSsl(): void;
  cancel(processId: number, secretKey: number): void;
  on(event: "connect" | "sslconnect" | "end", listener: () => void): void;
  on(event: "error", listener: (error: Error) => void): void;
}

/**
 * Asks the server, on a connection of its own, to cancel what `client` runs, and resolves when the server has closed that
 * connection. By then it has signalled the backend, and a backend that is idle by then takes no notice: whatever is sent to it afterwards
 * is safe. Whether anything was cancelled only the statement's own answer tells.
 *
 * Rejects when that did not come within `timeoutMs`: the request may then still arrive, so the connection must not be
 * used again.
 */
export async function requestCancel(client: Client, timeoutMs: number): Promise<void> {
  const target = client as unknown as Target;
  const wire = new Connection({
    ssl: target.ssl as never,
    sslnegotiation: target.sslNegotiation as never,
  }) as unknown as Wire;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let sent = false;
  const send = (): void => {
    sent = true;
    wire.cancel(target.processID, target.secretKey);
  };
  wire.on("connect", () => {
    if (!target.ssl) send();
    else if (target.sslNegotiation !== "direct") wire.requestSsl();
  });
  wire.on("sslconnect", send);
  // Once it is sent, any end of the connection is the server's answer; libpq treats it so too.
  wire.on("error", (error) => (sent ? undefined : reject(error)));
  wire.on("end", () => (sent ? resolve() : reject(new Error("the connection for the cancel request was closed"))));
  const timer = setTimeout(() => {
    reject(new Error(`the cancel request was not answered within ${timeoutMs} ms`));
    wire.stream.destroy();
  }, timeoutMs);
  try {
    if (target.host.startsWith("/")) wire.connect(`${target.host}/.s.PGSQL.${target.port}`);
    // A name may stand for several servers: ask the one we are connected to. A certificate, though, is for the name.
    else wire.connect(target.port, target.ssl ? target.host : (target.connection.stream.remoteAddress ?? target.host));
    await promise;
  } finally {
    clearTimeout(timer);
  }
}
