/** Prints the cost of a verification, of a cached token, and of an API key. */
import { ApiKeys, DenyList, newApiKey, openKeySource, TokenVerifier } from "../../src/index.ts";
import { startIssuer } from "../issuer.ts";
import { jwkOf, signed, testKey } from "../tokens.ts";

console.log("| algorithm | verified | from the cache |\n| --- | --- | --- |");
for (const alg of ["ES256", "EdDSA", "RS256"] as const) {
  const key = testKey(alg);
  await using issuer = await startIssuer({ keys: [jwkOf(key, "k")] });
  await using keys = await openKeySource({ issuer: issuer.url });
  const verifier = new TokenVerifier({ keys, audience: "plumbline" });
  const now = Date.now() / 1_000;
  const claims = { iss: issuer.url, aud: "plumbline", client_id: "cli", iat: now, exp: now + 3_600, scope: "a b" };
  const tokens = Array.from({ length: 2_000 }, (_, id) =>
    signed({ alg, typ: "at+jwt", kid: "k" }, { ...claims, sub: `s${id}` }, key),
  );
  const verifyAll = async (): Promise<string> => {
    const before = process.cpuUsage();
    for (const token of tokens) await verifier.verify(token);
    const { user, system } = process.cpuUsage(before);
    return `${((user + system) / tokens.length).toFixed(1)} µs`;
  };
  const verified = await verifyAll();
  await verifyAll();
  console.log(`| ${alg} | ${verified} | ${await verifyAll()} |`);
}

const made = Array.from({ length: 1_000 }, newApiKey);
const [created, until] = [-60_000, 600_000].map((ms) => new Date(Date.now() + ms).toISOString()) as [string, string];
const denied = new DenyList();
const apiKeys = new ApiKeys({ denied });
apiKeys.replace(made.map(({ id, digest }) => ({ id, digest, subject: "s", scopes: ["a"], created, until })));
await using issuer = await startIssuer({ keys: [jwkOf(testKey("ES256"), "k")] });
await using keys = await openKeySource({ issuer: issuer.url });
const verifier = new TokenVerifier({ keys, audience: "plumbline", denied, apiKeys });
const rounds = 20;
const before = process.cpuUsage();
for (let round = 0; round < rounds; round++) for (const { text } of made) await verifier.verify(text);
const { user, system } = process.cpuUsage(before);
console.log(`| API key, one of 1,000 | | ${((user + system) / made.length / rounds).toFixed(1)} µs |`);
