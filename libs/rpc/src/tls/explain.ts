import type { PeerCertificate, TLSSocket } from "node:tls";

/**
 * Rewrites the errors of a client's TLS socket in words. OpenSSL's message stays as the error's
 * `cause`, its code in place.
 */
export function explain(socket: TLSSocket, serverName: string): void {
  // The first listener, so that later ones get the error in words.
  socket.on("error", (error: NodeJS.ErrnoException) => {
    const words = tlsFaultOf(error, serverName);
    if (words === undefined) return;
    error.cause = new Error(error.message);
    error.message = words;
  });
}

const untrusted = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

/** Returns the fault of a TLS connection in words, or undefined for other errors. */
export function tlsFaultOf(error: NodeJS.ErrnoException, name: string): string | undefined {
  const { code = "" } = error;
  if (untrusted.has(code))
    return `the server's certificate is signed by an authority that is not trusted here (${code})`;
  switch (code) {
    case "CERT_HAS_EXPIRED":
      return "the server's certificate has expired";
    case "CERT_NOT_YET_VALID":
      return "the server's certificate is not valid yet";
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `the server's certificate is not for ${name}${namesOf(error)}`;
    default:
  }
  // OpenSSL's text, since the code varies: a failed write has EPROTO.
  if (/:(wrong version number|packet length too long|record layer failure):/.test(error.message)) {
    return "the server does not speak TLS";
  }
  const [, alert] = /:(?:tlsv1|tlsv13|sslv3|ssl\/tls) alert ([a-z ]+):/.exec(error.message) ?? [];
  if (alert === undefined) return undefined;
  return alerts.get(alert) ?? `the server ended the TLS handshake: ${alert}`;
}

function namesOf(error: Error & { readonly cert?: Pick<PeerCertificate, "subjectaltname"> }): string {
  return error.cert?.subjectaltname === undefined ? "" : ` but for ${error.cert.subjectaltname}`;
}

/** Alerts that a server sends (RFC 8446, 6.2), in words. */
const alerts = new Map([
  ["no application protocol", "the server does not speak HTTP/2 (ALPN h2)"],
  ["certificate required", "the server requires a client certificate, and there is none"],
  ["unknown ca", "the server does not accept the client certificate: unknown authority"],
  ["bad certificate", "the server does not accept the client certificate"],
  ["certificate expired", "the server does not accept the client certificate: expired"],
  ["protocol version", "the server supports no TLS version that is allowed here"],
]);
