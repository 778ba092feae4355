/** Writes the CRD of the chart and its reference from the schema. With --check it only compares. */
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { crdFile, referencePage } from "./files.ts";

const root = resolve(import.meta.dirname, "../../../..");
const files = {
  "deploy/helm/plumbline-operator/files/backendservices.yaml": crdFile(),
  "docs/backendservice.md": referencePage(),
};
for (const [name, text] of Object.entries(files)) {
  const path = resolve(root, name);
  if (!process.argv.includes("--check")) writeFileSync(path, text);
  else if (readFileSync(path, "utf8") !== text) {
    console.error(`${name} is stale: run npm run crd -w apps/operator`);
    process.exitCode = 1;
  }
}
