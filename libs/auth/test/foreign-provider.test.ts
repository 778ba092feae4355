import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { type Configuration, Provider } from "oidc-provider";
import { openKeySource, TokenVerifier } from "../src/index.ts";
import { TestClock, testKey } from "./tokens.ts";

/** A certified provider, whose keys a test replaces as a restart with other keys does. */
async function startProvider() {
  let answer: ((request: IncomingMessage, response: ServerResponse) => Promise<void>) | undefined;
  const server = createServer((request, response) => void answer?.(request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const use = (...keys: object[]): void => {
    const configuration: Configuration = {
      jwks: { keys },
      clients: [
        {
          client_id: "ada",
          client_secret: "secret",
          id_token_signed_response_alg: "ES256",
          grant_types: ["client_credentials"],
          redirect_uris: [],
          response_types: [],
        },
      ],
      scopes: ["orders:read", "orders:write"],
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_, resource) => ({
            audience: resource,
            scope: "orders:read orders:write",
            accessTokenFormat: "jwt",
            jwt: { sign: { alg: "ES256" } },
            accessTokenTTL: 600,
          }),
        },
      },
    };
    answer = new Provider(url, configuration).callback();
  };
  const token = async (resource = "https://plumbline.example.com"): Promise<string> => {
    const response = await fetch(`${url}/token`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa("ada:secret")}` },
      body: new URLSearchParams({ grant_type: "client_credentials", scope: "orders:read", resource }),
      signal: AbortSignal.timeout(30_000),
    });
    const body = (await response.json()) as { access_token?: string };
    assert.equal(response.status, 200, JSON.stringify(body));
    return body.access_token ?? "";
  };
  return {
    url,
    use,
    token,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function privateJwk(kid: string): object {
  return { ...testKey("ES256").privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "ES256" };
}

test("tokens of oidc-provider are taken, refused for another audience, and survive a rotation (negatives 19, 25)", async () => {
  await using provider = await startProvider();
  const [first, second] = [privateJwk("first"), privateJwk("second")];
  provider.use(first);
  const clock = new TestClock(Date.now());
  await using keys = await openKeySource({ issuer: provider.url, clock, fetchMs: 60_000 });
  const verifier = new TokenVerifier({ keys, audience: "https://plumbline.example.com", clock });

  const token = await provider.token();
  const principal = await verifier.verify(token);
  assert.deepEqual([principal.client, principal.scopes], ["ada", ["orders:read"]]);
  await assert.rejects(verifier.verify(await provider.token("https://other.example.com")), { part: "aud" });

  // The new key is published and used at once, and the old one stays for a while.
  provider.use(second, first);
  const rotated = await provider.token();
  await verifier.verify(rotated);
  await verifier.verify(token);

  // The old key goes: its tokens are refused after the next refresh, and the new ones stay.
  provider.use(second);
  clock.advance(330_000);
  while (keys.ageMs !== 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await assert.rejects(verifier.verify(token), { part: "kid" });
  await verifier.verify(rotated);

  // Keys of a stranger with the same name are not those of the issuer.
  await using stranger = await startProvider();
  stranger.use(privateJwk("second"));
  await assert.rejects(verifier.verify(await stranger.token()), { part: "signature" });
});
