import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { noTelemetry } from "@plumbline/telemetry";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { type DeniedSettings, openAuth } from "../../src/auth/open-auth.ts";

/** A change of a token that is otherwise right. */
export interface TokenChanges {
  readonly claims?: JWTPayload;
  readonly header?: Readonly<Record<string, unknown>>;
  /** Signs with a key that the issuer does not have, under the id of one that it has. */
  readonly forged?: boolean;
}

/** An issuer that signs whatever a test wants, at an address of its own. */
export async function startTokenIssuer() {
  const [first, second, strange] = await Promise.all([
    generateKeyPair("ES256"),
    generateKeyPair("ES256"),
    generateKeyPair("ES256"),
  ]);
  const jwkOf = async (kid: string, key: CryptoKey) => ({ ...(await exportJWK(key)), kid, use: "sig", alg: "ES256" });
  const keys = [await jwkOf("first", first.publicKey)];
  let current = { kid: "first", key: first.privateKey };
  const server = createServer((request, response) => {
    const documents: Record<string, object> = {
      "/.well-known/openid-configuration": { issuer: url, jwks_uri: `${url}/jwks` },
      "/jwks": { keys },
    };
    response.end(JSON.stringify(documents[request.url ?? ""] ?? {}));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    /** Returns a token of a subject with scopes, separated by spaces. */
    async token(sub: string, scope: string, { claims = {}, header = {}, forged = false }: TokenChanges = {}) {
      const now = Math.floor(Date.now() / 1_000);
      const { kid, key } = current;
      return await new SignJWT({
        iss: url,
        aud: "plumbline",
        sub,
        client_id: "cli",
        iat: now,
        exp: now + 600,
        scope,
        ...claims,
      })
        .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid, ...header })
        .sign(forged ? strange.privateKey : key);
    },
    /** Publishes a second key, which signs nothing yet. */
    async publishNext() {
      keys.push(await jwkOf("second", second.publicKey));
    },
    /** Signs with the second key from now on. */
    useNext() {
      current = { kid: "second", key: second.privateKey };
    },
    /** Opens the identity of a gateway that trusts this issuer. */
    auth: (denied: () => DeniedSettings = () => none, telemetry = noTelemetry, apiKeysFile?: string) =>
      openAuth(
        { issuer: url, audience: "plumbline", developmentIssuer: false, tokenTypes: ["at+jwt"], apiKeysFile },
        "0.0.0.0",
        denied,
        telemetry,
      ),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const none: DeniedSettings = { subjects: [], clients: [] };
