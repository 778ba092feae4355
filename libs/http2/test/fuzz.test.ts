/** A short run of the fuzzer. `npm run fuzz -w libs/http2 -- --seconds N` runs for longer. */
import { test } from "node:test";
import * as fc from "fast-check";
import { attack, roles, sessions } from "./fuzz.ts";

for (const role of roles) {
  test(`a ${role} answers any octets in frames, or ends the connection`, { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(sessions(role), (chunks) => attack(role, chunks)),
      { numRuns: 500 },
    );
  });
}
