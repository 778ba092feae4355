import { once } from "node:events";
import { connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { type ConnectionOptions, connect } from "node:tls";

const callMs = 5_000;

/**
 * Calls an RPC with an empty message over a connection of its own. Returns the status of gRPC and
 * the serial number of the server's certificate. Rejects if there is no answer.
 */
export async function callEmpty(
  path: string,
  server: ConnectionOptions & { readonly host: string },
): Promise<{ readonly status: string; readonly serial: string }> {
  const socket = connect({ ...server, ALPNProtocols: ["h2"] });
  const signal = AbortSignal.timeout(callMs);
  try {
    await once(socket, "secureConnect", { signal });
    const session = connectHttp2(`https://${server.host}`, { createConnection: () => socket });
    session.on("error", () => undefined); // The request says so too.
    const headers = { "content-type": "application/grpc", te: "trailers" };
    const request = session.request({ ":method": "POST", ":path": path, ...headers }, { signal });
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const read = (fields: IncomingHttpHeaders) => {
      if (fields["grpc-status"] !== undefined) resolve(String(fields["grpc-status"]));
    };
    // A refusal has no message, and its status is in the first headers.
    request.on("response", read).on("trailers", read).on("error", reject);
    request.on("close", () => reject(new Error("the connection ended without an answer")));
    // An empty message: no compression, and a length of 0.
    request.end(Buffer.alloc(5));
    request.resume();
    return { status: await promise, serial: socket.getPeerCertificate().serialNumber };
  } finally {
    socket.destroy();
  }
}
