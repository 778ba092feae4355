/**
 * The suite that every pairing of transports passes. Its cases are the specification of this
 * library. A pairing's own test is one call:
 *
 *     conformance({ server: "grpc-js", client: "grpc-js", tls: true });
 *
 * Each case opens its servers on free loopback ports and calls them over real sockets.
 */
import { describe, test } from "node:test";
import { onAbort } from "@plumbline/concurrency";
import { callCases } from "./calls.ts";
import { cancellationCases } from "./cancellation.ts";
import { compressionCases } from "./compression.ts";
import { drainCases } from "./draining.ts";
import { errorCases } from "./errors.ts";
import { flowCases } from "./flow.ts";
import { identityCases } from "./identity.ts";
import { retryCases } from "./retries.ts";
import { shareCases } from "./shares.ts";
import { type Pairing, TestContext } from "./test-context.ts";
import { wireCases } from "./wire.ts";

/** Certificates for tests: an authority, and certificates for localhost that it signed. */
export {
  ca as testCa,
  caller as testClient,
  otherCa as testOtherCa,
  server as testServer,
  stranger as testStranger,
} from "./certificates.ts";
export { type Certificates, testFaults } from "./faults.ts";
export type { Pairing } from "./test-context.ts";

export function conformance(pairing: Pairing): void {
  const over = pairing.tls === true ? " over TLS" : "";
  void describe(`a ${pairing.client} client of a ${pairing.server} server${over}`, () => {
    const cases = [
      callCases,
      errorCases,
      cancellationCases,
      flowCases,
      retryCases,
      drainCases,
      shareCases,
      identityCases,
      wireCases,
      compressionCases,
    ];
    for (const one of cases.flat()) {
      void test(one.name, { timeout: 20_000 }, async ({ signal }) => {
        await using context = new TestContext(pairing);
        // A case that hangs leaves no server behind, which would keep the process alive.
        using _ = onAbort(signal, () => void context[Symbol.asyncDispose]());
        await one.run(context);
      });
    }
  });
}
