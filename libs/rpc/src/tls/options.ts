import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContextOptions, type TlsOptions } from "node:tls";
import { ServiceError } from "@plumbline/errors";

/** The text of a PEM file. */
export type Pem = string | Buffer;

export interface ServerTls {
  /** The server's certificate, then those that lead to its authority. */
  readonly certificate: Pem;
  /** The server's private key, not encrypted. */
  readonly key: Pem;
  /**
   * Authorities of client certificates. If given, a client must show a certificate that one of them
   * signed.
   */
  readonly clientCa?: Pem | undefined;
}

export interface ClientTls {
  /** The trusted authorities; those that come with Node if not given. */
  readonly ca?: Pem | undefined;
  /** The certificate that is shown to servers that require one. */
  readonly certificate?: Pem | undefined;
  readonly key?: Pem | undefined;
  /** The name that the server's certificate must have; the target's host if not given. */
  readonly serverName?: string | undefined;
}

/**
 * A value, or a function that is called for each connection, so that a change applies to new
 * connections.
 */
export type Reloadable<T> = T | (() => T);

/**
 * Returns a server's options for node:tls. They throw `invalid_argument` if invalid; the last valid
 * ones stay in use.
 */
export function serverTls(tls: Reloadable<ServerTls>): () => TlsOptions {
  const asksClients = now(tls).clientCa !== undefined;
  return converted(tls, ({ certificate, key, clientCa }) => {
    checkPair(certificate, key);
    // Without this a client could use a certificate of any public authority.
    if ((clientCa !== undefined) !== asksClients) {
      throw invalid("tls.clientCa: it cannot be added or removed while the server runs");
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

/**
 * Returns a client's options for node:tls. They throw `invalid_argument` if invalid; the last valid
 * ones stay in use.
 */
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

/**
 * Converts each new value once. The first is converted at once, so that an invalid one fails at the
 * start.
 */
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

/** Finds any other fault, such as a key that is too short. */
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
