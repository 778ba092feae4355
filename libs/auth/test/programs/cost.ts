/** Prints the cost of a verification, and of a cached token. */
import { openKeySource, TokenVerifier } from "../../src/index.ts";
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
