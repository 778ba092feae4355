/** The journeys against the contents of images: one bundle for each service. */
import { after, before } from "node:test";
import { type Running, runStack } from "../src/stack.ts";
import { httpJourneys, operatorJourneys, trustedCaller } from "./journeys.ts";

let running: Running;
before(async () => {
  running = await runStack({ entry: "bundle", environment: trustedCaller });
});
after(() => running?.[Symbol.asyncDispose]());

httpJourneys(() => running.base);
operatorJourneys(() => running);
