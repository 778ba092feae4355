import { randomUUID, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { SignJWT } from "jose";
import { type Client, type Clients, defaultClients } from "./clients.ts";
import { Refusal, readForm, send, sendRefusal } from "./http.ts";
import { algorithm, SigningKeys } from "./signing-keys.ts";
import { TokenFiles } from "./token-files.ts";

export interface IssuerOptions {
  /** The default is 127.0.0.1. */
  readonly host?: string;
  /** The port; 0 takes a free one. */
  readonly port: number;
  /** The address as its clients know it. The default is that of the host and the port. */
  readonly url?: string | undefined;
  /** Other host names that requests may have, beside that of `url` and this machine's. */
  readonly hosts?: readonly string[] | undefined;
  /**
   * Returns the certificate and its key in PEM. With it the issuer speaks https only. Called for
   * each connection: another object applies from then on.
   */
  readonly tls?: (() => IssuerTls) | undefined;
  /** The name of the service that tokens are for. The default is "plumbline". */
  readonly audience?: string | undefined;
  readonly clients?: Clients | undefined;
  /** The life of a token, 1 to 86,400 seconds. The default is an hour. */
  readonly tokenSeconds?: number | undefined;
  /** The folder that gets a file for each client, with a header for curl. None if absent. */
  readonly folder?: string | undefined;
  /** The longest wait of closing for requests in progress. */
  readonly graceMs?: number;
}

interface IssuerTls {
  readonly certificate: string | Buffer;
  readonly key: string | Buffer;
}

export interface Issuer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Returns a token of a client, with all its scopes unless others are given. */
  token(client: string, scopes?: readonly string[]): Promise<string>;
  /** Signs with another key from now on, as POST /rotate does. */
  rotate(): Promise<void>;
}

const maxBodyBytes = 4_096;
const maxConnections = 512;
const discoveryPath = "/.well-known/openid-configuration";

/**
 * Starts an issuer of access tokens for development. Its keys are new at each start. Rejects if the
 * port is in use or the folder cannot be written. Disposing finishes requests in progress and
 * removes the files.
 */
export async function startIssuer(options: IssuerOptions): Promise<Issuer> {
  const { host = "127.0.0.1", port, audience = "plumbline", clients = defaultClients, graceMs = 5_000 } = options;
  const { tokenSeconds = 3_600, folder, tls, hosts = [] } = options;
  if (!(Number.isInteger(tokenSeconds) && tokenSeconds >= 1 && tokenSeconds <= 86_400)) {
    throw new RangeError(`tokenSeconds: expected 1 to 86400, found ${tokenSeconds}`);
  }
  const keys = await SigningKeys.make();
  let url = "";

  const tokenOf = async (client: string, scopes: readonly string[]): Promise<string> => {
    const { kid, privateKey } = keys.current;
    return await new SignJWT({ client_id: client, scope: scopes.join(" ") })
      .setProtectedHeader({ alg: algorithm, typ: "at+jwt", kid })
      .setIssuer(url)
      .setAudience(audience)
      .setSubject(client)
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime(`${tokenSeconds}s`)
      .sign(privateKey);
  };
  const headerOf = async (name: string): Promise<string> => {
    const token = await tokenOf(name, clientNamed(clients, name)?.scopes ?? []);
    return `Authorization: Bearer ${token}`;
  };
  const files = folder === undefined ? undefined : new TokenFiles(folder, Object.keys(clients));
  let writing = Promise.resolve();
  const writeFiles = (): Promise<void> => {
    const written = writing.then(() => files?.write(headerOf));
    writing = written.catch(() => undefined);
    return written;
  };
  const rotate = async (): Promise<void> => {
    await keys.rotate();
    await writeFiles();
  };

  const grant = async (request: IncomingMessage): Promise<object> => {
    const form = await readForm(request, maxBodyBytes);
    const name = authenticated(request, form, clients);
    if (form.get("grant_type") !== "client_credentials") {
      throw new Refusal(400, "unsupported_grant_type", "grant_type must be client_credentials");
    }
    const allowed = clientNamed(clients, name)?.scopes ?? [];
    const asked =
      form
        .get("scope")
        ?.split(" ")
        .filter((word) => word !== "") ?? allowed;
    const other = asked.find((scope) => !allowed.includes(scope));
    if (other !== undefined) {
      throw new Refusal(400, "invalid_scope", `${name} may have ${allowed.join(" ")}`);
    }
    return {
      access_token: await tokenOf(name, asked),
      token_type: "Bearer",
      expires_in: tokenSeconds,
      scope: asked.join(" "),
    };
  };

  const route = async (request: IncomingMessage): Promise<string | object> => {
    // A page of another site may bind its name to this machine, or post to it.
    if (!isOurs(request, [new URL(url).hostname, ...hosts]))
      throw new Refusal(421, "invalid_request", `this issuer is ${url}`);
    if (request.headers.origin !== undefined) throw new Refusal(403, "invalid_request", "pages may not ask for tokens");
    const { pathname } = new URL(request.url ?? "/", url);
    const method = pathname === "/token" || pathname === "/rotate" ? "POST" : "GET";
    if (request.method !== method) {
      throw new Refusal(405, "invalid_request", `${pathname} takes ${method}`, { allow: method });
    }
    if (pathname === discoveryPath) return discoveryOf(url, clients);
    // Marked as the discovery document is: a gateway may be given the address of the keys alone.
    if (pathname === "/jwks") return { keys: keys.published, plumbline_development_issuer: true };
    if (pathname === "/token") return await grant(request);
    if (pathname === "/rotate") {
      await rotate();
      return { keys: keys.published.length };
    }
    if (pathname === "/healthz") {
      await writing; // A caller that waits for this answer reads a file next.
      return { status: "ok" };
    }
    const name = pathname.slice(1);
    if (clientNamed(clients, name) !== undefined) return `${await headerOf(name)}\n`;
    throw new Refusal(404, "invalid_request", `there are ${discoveryPath}, /jwks, /token, /rotate and /CLIENT`);
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await route(request).catch(refusalOf);
    // Otherwise an idle connection would delay the closing server until its keep-alive ends.
    response.shouldKeepAlive &&= server.listening;
    if (body instanceof Refusal) sendRefusal(response, body);
    else send(response, 200, body);
  };

  const listener = (request: IncomingMessage, response: ServerResponse) => void answer(request, response);
  const bounds = { maxHeaderSize: 8_192 };
  const server =
    tls === undefined
      ? createServer(bounds, listener)
      : tlsServer(createTlsServer({ ...bounds, handshakeTimeout: 10_000 }, listener), tls);
  server.maxConnections = maxConnections;
  server.requestTimeout = 10_000;
  server.listen(port, host);
  await once(server, "listening"); // Rejects on "error".
  const address = server.address() as AddressInfo;
  const bound = `${tls === undefined ? "http" : "https"}://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
  url = options.url ?? bound;

  const close = async (): Promise<void> => {
    if (!server.listening) return;
    clearInterval(renewal);
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    await new Promise((resolve) => server.close(resolve)); // Closes idle connections at once.
    clearTimeout(cut);
    await writing;
    await files?.remove();
  };
  // At half of its life, so that no file ever holds a token that is about to end.
  const renewal = setInterval(() => void writeFiles().catch(complain), tokenSeconds * 500);
  try {
    await writeFiles();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    url,
    port: address.port,
    token: (client, scopes = clientNamed(clients, client)?.scopes ?? []) => tokenOf(client, scopes),
    rotate,
    [Symbol.asyncDispose]: close,
  };
}

/** Makes a server show what `tls` returns. Its own listener of connections begins handshakes. */
function tlsServer(server: TlsServer, tls: () => IssuerTls): TlsServer {
  let shown: IssuerTls | undefined;
  return server.prependListener("connection", () => {
    const next = tls();
    if (next !== shown) server.setSecureContext({ cert: next.certificate, key: next.key });
    shown = next;
  });
}

function discoveryOf(url: string, clients: Clients): object {
  return {
    issuer: url,
    jwks_uri: `${url}/jwks`,
    token_endpoint: `${url}/token`,
    grant_types_supported: ["client_credentials"],
    token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
    scopes_supported: [...new Set(Object.values(clients).flatMap(({ scopes }) => scopes))],
    response_types_supported: [],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: [algorithm],
    plumbline_development_issuer: true,
  };
}

/** Returns true for a request whose Host is one of the names, or this machine's. */
function isOurs({ headers }: IncomingMessage, names: readonly string[]): boolean {
  const host = URL.parse(`http://${headers.host ?? ""}`)?.hostname;
  return host !== undefined && [...names, "localhost", "127.0.0.1", "[::1]"].includes(host);
}

/** Returns the name of the client that the request proves to be. Throws a Refusal. */
function authenticated(request: IncomingMessage, form: URLSearchParams, clients: Clients): string {
  const [name, secret] = credentialsOf(request.headers.authorization, form);
  if (!isEqual(secret, clientNamed(clients, name)?.secret)) {
    throw new Refusal(401, "invalid_client", "the client or its secret is unknown", {
      "www-authenticate": 'Basic realm="issuer"',
    });
  }
  return name;
}

/** Returns name and secret of the header, else of the form (RFC 6749, section 2.3.1). */
function credentialsOf(authorization: string | undefined, form: URLSearchParams): [string, string] {
  if (authorization === undefined) return [form.get("client_id") ?? "", form.get("client_secret") ?? ""];
  const encoded = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(authorization)?.[1] ?? "";
  const [name = "", ...rest] = Buffer.from(encoded, "base64").toString().split(":");
  return [decoded(name), decoded(rest.join(":"))];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return "";
  }
}

function isEqual(given: string, secret: string | undefined): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(secret ?? "")];
  return secret !== undefined && left.length === right.length && timingSafeEqual(left, right);
}

/** Returns a client of the table. NAME-1 to NAME-99 are as NAME is, and are other callers. */
function clientNamed(clients: Clients, name: string): Client | undefined {
  if (Object.hasOwn(clients, name)) return clients[name];
  const like = name.replace(/-[1-9]\d?$/, "");
  return Object.hasOwn(clients, like) ? clients[like] : undefined;
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  complain(error);
  return new Refusal(500, "server_error", "internal");
}

function complain(error: unknown): void {
  console.error(error);
}
