import { after, before, describe } from "node:test";
import { type Running, runStack } from "../src/stack.ts";
import { transports } from "../src/transports.ts";
import { httpJourneys, operatorJourneys, trustedCaller } from "./journeys.ts";

for (const transport of transports) {
  describe(`with calls over ${transport}`, () => {
    let running: Running;
    before(async () => {
      running = await runStack({ transport, environment: trustedCaller });
    });
    after(() => running?.[Symbol.asyncDispose]());

    httpJourneys(() => running.base);
    operatorJourneys(() => running);
  });
}
