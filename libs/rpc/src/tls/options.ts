import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContextOptions, type TlsOptions } from "node:tls";
import { ServiceError } from "@plumbline/errors";

/** What a PEM file holds. */
export type Pem = string | Buffer;

export interface ServerTls {
  /** The server's certificate, then those that lead to its authority. */
  readonly certificate: Pem;
  /** Its private key, not encrypted. */
  readonly key: Pem;
  /** Given, a client must show a certificate that one of these authorities has signed. */
  readonly clientCa?: Pem | undefined;
}

export interface ClientTls {
  /** The authorities that are trusted; those that come with Node when not given. */
  readonly ca?: Pem | undefined;
  /** What the client shows when it is asked. */
  readonly certificate?: Pem | undefined;
  readonly key?: Pem | undefined;
  /** Whom the server's certificate must name; the target's host when not given. */
  readonly serverName?: string | undefined;
}

/** As it is, or a function that is asked for each connection: then what changes holds for the connections to come. */
export type Reloadable<T> = T | (() => T);

/** A server's TLS for node:tls. Throws `invalid_argument` for what cannot be used; then what it gave before goes on. */
export function serverTls(tls: Reloadable<ServerTls>): () => TlsOptions {
  const asksClients = now(tls).clientCa !== undefined;
  return converted(tls, ({ certificate, key, clientCa }) => {
    checkPair(certificate, key);
    // Without this the authorities of the whole web would do for a client.
    if ((clientCa !== undefined) !== asksClients) {
      throw invalid("tls.clientCa: whether clients show a certificate cannot change while the server runs");
    }
    const options = {
      cert: certificate,
      key,
      ...(clientCa !== undefined && { ca: authorities("tls.clientCa", clientCa) }),
    };
    checkContext(options);
    return { ...options, requestCert: asksClients, rejectUnauthorized: true };
  });
}

/** A client's TLS for node:tls. Throws `invalid_argument` for what cannot be used; then what it gave before goes on. */
export function clientTls(tls: Reloadable<ClientTls>): () => SecureContextOptions & { readonly serverName?: string } {
  return converted(tls, ({ ca, certificate, key, serverName }) => {
    if ((certificate === undefined) !== (key === undefined)) {
      throw invalid("tls.certificate and tls.key: expected both or none");
    }
    if (certificate !== undefined && key !== undefined) checkPair(certificate, key);
    const options = {
      ...(ca !== undefined && { ca: authorities("tls.ca", ca) }),
      ...(certificate !== undefined && { cert: certificate, key }),
    };
    checkContext(options);
    return { ...options, ...(serverName !== undefined && { serverName }) };
  });
}

function now<T>(source: Reloadable<T>): T {
  return typeof source === "function" ? (source as () => T)() : source;
}

/** Converts what is new, once. Tried at once, so that what is wrong from the start is said at the start. */
function converted<T, O>(source: Reloadable<T>, convert: (value: T) => O): () => O {
  let last = now(source);
  let options = convert(last);
  return () => {
    const next = now(source);
    if (next !== last) {
      last = next;
      options = convert(next);
    }
    return options;
  };
}

function checkPair(certificate: Pem, key: Pem): void {
  const own = read("tls.certificate", "a certificate in PEM", () => new X509Certificate(certificate));
  const privateKey = read("tls.key", "a private key in PEM that is not encrypted", () => createPrivateKey(key));
  if (!own.checkPrivateKey(privateKey)) throw invalid("tls.key: it does not belong to tls.certificate");
}

function authorities(name: string, pem: Pem): Pem {
  read(name, "certificates in PEM", () => new X509Certificate(pem));
  return pem;
}

/** Finds what is left to be wrong, a key that is too short say. */
function checkContext(options: SecureContextOptions): void {
  read("tls", "certificates and a key that TLS can use", () => createSecureContext(options));
}

function read<T>(name: string, expected: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    const { code = "unreadable" } = cause as NodeJS.ErrnoException;
    throw new ServiceError("invalid_argument", `${name}: expected ${expected} (${code})`, { cause });
  }
}

function invalid(message: string): ServiceError {
  return new ServiceError("invalid_argument", message);
}
