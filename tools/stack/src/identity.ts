import { readFile } from "node:fs/promises";
import { request } from "node:https";
import { isIP } from "node:net";
import { join, resolve } from "node:path";
import { text as textOf } from "node:stream/consumers";
import { getCACertificates, setDefaultCACertificates } from "node:tls";

/** The field of a request that says who sends it; none where a gateway asks for no tokens. */
export type Authorization = Readonly<Record<string, string>>;

/**
 * Returns the field of a client of the development issuer: "ada", "bob", "operator", or another
 * caller like them, "ada-7". `isRefused` asks for another token than the last one.
 */
export type Credentials = (client: string, isRefused?: boolean) => Promise<Authorization>;

/**
 * The callers that act by default, "operator-1" and so on: each has a rate of its own, and may
 * place, read and list the orders of all customers.
 */
const operators = 20;
const askMs = 5_000;
/** The time that a token is used before the issuer is asked for another one. */
const keptMs = 60_000;

const known = new Map<string, Credentials>();

/** Makes requests to a gateway carry these credentials, for `authorizationFor` and `fetchAs`. */
export function useCredentials(gateway: string, credentials: Credentials): void {
  known.set(new URL(gateway).origin, credentials);
}

/** Credentials for a gateway that asks for no tokens. */
export const noCredentials: Credentials = async () => ({});

/** Returns the credentials that an issuer keeps as files in a folder, always fresh. */
export function credentialsIn(folder: string): Credentials {
  return async (client) => fieldOf(await readFile(join(folder, client), "utf8"));
}

/** Returns credentials that are asked of a development issuer, and kept for a minute. */
export function credentialsOf(issuer: string): Credentials {
  const kept = new Map<string, { readonly at: number; readonly field: Promise<Authorization> }>();
  return async (client, isRefused = false) => {
    let held = kept.get(client);
    if (held === undefined || isRefused || performance.now() - held.at > keptMs) {
      held = { at: performance.now(), field: ask(`${issuer}/${client}`).then(text).then(fieldOf) };
      kept.set(client, held);
      held.field.catch(() => kept.delete(client));
    }
    return await held.field;
  };
}

/** Returns an operator: the same one for the same key, and any for none. */
function operatorFor(key: string = crypto.randomUUID()): string {
  let hash = 0;
  for (const character of key) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 1_000_003;
  return `operator-${1 + (hash % operators)}`;
}

/** Returns true for a URL of a gateway whose credentials were given. */
export function hasCredentials(url: string): boolean {
  return known.has(new URL(url).origin);
}

/**
 * Returns the field that a gateway wants. A gateway whose credentials were not given names its
 * issuer, and that is asked. Rejects if the issuer is none for development.
 */
export async function authorizationFor(url: string, client = operatorFor(), isRefused = false): Promise<Authorization> {
  const { origin } = new URL(url);
  let credentials = known.get(origin);
  if (credentials === undefined) {
    credentials = await discovered(origin);
    known.set(origin, credentials);
  }
  return await credentials(client, isRefused);
}

/**
 * Sends a request to a gateway as a client of its development issuer: an operator, the same one for
 * the same idempotency key, since a key is its caller's. Sends it once more, with another token, if
 * the gateway refuses the first: the issuer may have started again, with other keys.
 */
export async function fetchAs(url: string, init: RequestInit = {}, client?: string): Promise<Response> {
  const key = new Headers(init.headers).get("idempotency-key") ?? undefined;
  const sender = client ?? operatorFor(key);
  const send = async (isRefused: boolean) => {
    const headers = new Headers(init.headers);
    const fields = Object.entries(await authorizationFor(url, sender, isRefused));
    for (const [name, value] of fields) headers.set(name, value);
    return { hasToken: fields.length > 0, response: await fetch(url, { ...init, headers }) };
  };
  const { hasToken, response } = await send(false);
  if (response.status !== 401 || !hasToken) return response;
  await response.body?.cancel();
  return (await send(true)).response;
}

/** The authority of the issuer's certificate in compose (deploy/compose/certificates.sh). */
const authority = resolve(import.meta.dirname, "../../../.plumbline/ca.pem");

/** Makes requests of this process trust the authority of a PEM file too. */
export async function trustAuthority(file: string): Promise<void> {
  setDefaultCACertificates([...getCACertificates("default"), await readFile(file, "utf8")]);
}

async function discovered(gateway: string): Promise<Credentials> {
  const issuer = await issuerOf(gateway);
  return issuer === undefined ? noCredentials : credentialsOf(issuer);
}

/**
 * Returns a token of a client, with these of its scopes. Rejects for a gateway that asks for no
 * tokens, or of an issuer that is none for development.
 */
export async function tokenOf(gateway: string, client: string, scopes: readonly string[]): Promise<string> {
  const issuer = await issuerOf(gateway);
  if (issuer === undefined) throw new Error(`${gateway} asks for no tokens`);
  const form = { grant_type: "client_credentials", client_id: client, client_secret: client, scope: scopes.join(" ") };
  const answer = await ask(`${issuer}/token`, new URLSearchParams(form));
  return String(((await json(answer)) as Record<string, unknown>)["access_token"]);
}

/**
 * Asks a gateway who issues its tokens (RFC 9728). Undefined means that it asks for none. Rejects
 * if the issuer is none for development.
 */
async function issuerOf(gateway: string): Promise<string | undefined> {
  const answer = await ask(`${gateway}/.well-known/oauth-protected-resource`);
  if (answer.status === 404) return process.env[issuerVariables.url];
  const { authorization_servers: [issuer] = [] } = (await json(answer)) as { authorization_servers?: string[] };
  if (issuer === undefined) throw new Error(`${gateway} names no issuer of its tokens`);
  // The caller may have trusted another authority, that of a stack of its own.
  const untrusted = /^https:\/\/localhost[:/]/.test(issuer)
    ? await trustAuthority(authority).then(
        () => undefined,
        (cause: unknown) =>
          new Error(`the issuer ${issuer} needs ${authority}, which docker compose up writes`, { cause }),
      )
    : undefined;
  const discovery = await ask(`${issuer}/.well-known/openid-configuration`).catch((error: unknown) => {
    throw untrusted ?? error;
  });
  if (((await json(discovery)) as Record<string, unknown>)["plumbline_development_issuer"] !== true) {
    throw new Error(`${gateway} takes tokens of ${issuer}, which is no issuer for development: it gives none to this`);
  }
  return issuer;
}

/** Returns the field of a line that curl reads. */
function fieldOf(line: string): Authorization {
  return { authorization: line.trim().replace(/^Authorization: /, "") };
}

/**
 * Variables for an issuer whose name leads nowhere from here, as that of a cluster does: its URL,
 * its address, and the PEM file of its authority. The URL is that of gateways that name no issuer,
 * and may ask for tokens later: in the middle of an upgrade.
 */
export const issuerVariables = {
  url: "PLUMBLINE_ISSUER_URL",
  address: "PLUMBLINE_ISSUER_ADDRESS",
  authority: "PLUMBLINE_ISSUER_CA_FILE",
} as const;

/** Asks by GET, or sends a form. */
async function ask(url: string, form?: URLSearchParams): Promise<Response> {
  const address = process.env[issuerVariables.address];
  if (address !== undefined && url.startsWith("https://")) return await askAt(address, url, form);
  return await fetch(url, { signal: AbortSignal.timeout(askMs), ...(form && { method: "POST", body: form }) });
}

/** Asks for a URL at an address. The certificate must still be that of the name. */
async function askAt(address: string, url: string, form: URLSearchParams | undefined): Promise<Response> {
  const file = process.env[issuerVariables.authority];
  const sent = request(url, {
    agent: false,
    signal: AbortSignal.timeout(askMs),
    lookup: (_name, _options, found) => found(null, [{ address, family: isIP(address) }]),
    ...(file !== undefined && { ca: await readFile(file, "utf8") }),
    ...(form && { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" } }),
  });
  const { promise, resolve: answered, reject } = Promise.withResolvers<Response>();
  sent.on("error", reject).on("response", (response) => {
    textOf(response).then((body) => answered(new Response(body, { status: response.statusCode ?? 500 })), reject);
  });
  sent.end(form?.toString());
  return await promise;
}

async function text(answer: Response): Promise<string> {
  const body = await answer.text();
  if (!answer.ok) throw new Error(`${answer.url} ${answer.status} ${body.slice(0, 200)}`.trim());
  return body;
}

async function json(answer: Response): Promise<unknown> {
  return JSON.parse(await text(answer));
}
