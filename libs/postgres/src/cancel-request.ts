import { type Client, Connection } from "pg";

/**
 * Fields of a pg client outside its types: the numbers that identify a connection in a cancel
 * request.
 */
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
 * Asks the server, on a separate connection, to cancel the statement that `client` runs. Resolves
 * when the server has closed that connection. By then it has signalled the backend, and an idle
 * backend ignores the signal, so later statements are safe. Only the statement's own result shows
 * if it was cancelled.
 *
 * Rejects after `timeoutMs`. The request may still arrive then, so the connection must not be used
 * again.
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
  // Once the request is sent, any end of the connection is the server's answer, as in libpq.
  wire.on("error", (error) => (sent ? undefined : reject(error)));
  wire.on("end", () => (sent ? resolve() : reject(new Error("the connection for the cancel request was closed"))));
  const timer = setTimeout(() => {
    reject(new Error(`the cancel request was not answered within ${timeoutMs} ms`));
    wire.stream.destroy();
  }, timeoutMs);
  try {
    if (target.host.startsWith("/")) wire.connect(`${target.host}/.s.PGSQL.${target.port}`);
    // By address, since a name may resolve to several servers. TLS needs the name for its
    // certificate.
    else wire.connect(target.port, target.ssl ? target.host : (target.connection.stream.remoteAddress ?? target.host));
    await promise;
  } finally {
    clearTimeout(timer);
  }
}
