/**
 * `npm run access`: writes docs/access.md from the access rules of the protos. With --check it only
 * compares. An RPC without a rule fails both.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { generateContracts } from "@plumbline/tools-stack";
import { flag, runCommand } from "@plumbline/tools-stack/command";
import { accessDocument } from "./document.ts";

const root = resolve(import.meta.dirname, "../../../..");
const page = join(root, "docs/access.md");

await runCommand(
  {
    name: "npm run access",
    about: "Writes docs/access.md, who may call which RPC, from the access rules of the protos.",
    options: { check: flag("writes nothing, fails when the page is stale or an RPC has no rule") },
  },
  async ({ values }) => {
    await generateContracts(root);
    const { descriptorSet } = await import("@plumbline/contracts");
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));
    const { text, problems } = accessDocument(registry);
    for (const problem of problems) console.error(problem);
    if (problems.length > 0) return 1;
    const current = existsSync(page) ? readFileSync(page, "utf8") : "";
    if (values.check && current !== text) {
      console.error("docs/access.md is stale: run npm run access");
      return 1;
    }
    if (!values.check) writeFileSync(page, text);
    console.log(values.check ? "access: every RPC has a rule" : "docs/access.md is written");
    return 0;
  },
);
