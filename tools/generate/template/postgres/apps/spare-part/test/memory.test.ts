import { MemorySpareParts } from "../src/memory/spare-parts.ts";
import { sparePartsContract } from "./spare-parts.ts";

sparePartsContract("memory", async () =>
  Object.assign(new MemorySpareParts(), { [Symbol.asyncDispose]: async () => {} }),
);
