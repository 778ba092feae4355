import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import type { Bill } from "@plumbline/tools-build/bill";
import { billFindings, differences, type Files } from "./findings.ts";

const files = (contents: Readonly<Record<string, string>>): Files =>
  new Map(Object.entries(contents).map(([name, text]) => [name, Buffer.from(text)]));

test("two builds with the same bytes have no differences", () =>
  assert.deepEqual(differences(files({ "main.js": "a" }), files({ "main.js": "a" })), []));

for (const [name, other, want] of [
  ["a date", { "main.js": "made at 2026" }, ['main.js differs between two builds: "made at 2025" and "made at 2026"']],
  [
    "a longer file",
    { "main.js": "made at 2025." },
    ['main.js differs between two builds: "made at 2025" and "made at 2025."'],
  ],
  ["another file", { "main.js": "made at 2025", "more.js": "" }, ["more.js is made by one of two builds only"]],
  ["no file", {}, ["main.js is made by one of two builds only"]],
] as const) {
  test(`two builds differ: ${name}`, () =>
    assert.deepEqual(differences(files({ "main.js": "made at 2025" }), files(other)), want));
}

const bundle = files({ "main.js": "code", "main.js.map": "{}" });
const hash = createHash("sha256").update("code").digest("hex");
const packages = new Set(["app@1.0.0", "a@2.0.0"]);

function component(name: string, version: string, licence: object) {
  return {
    "bom-ref": `${name}@${version}`,
    type: "library",
    name,
    version,
    purl: `pkg:npm/${name}@${version}`,
    licenses: [licence],
  } as const;
}

function billWith(changed: { licence?: object; content?: string; file?: string; type?: string } = {}) {
  const { licence = { license: { id: "MIT" } }, content = hash, file = "main.js", type = "file" } = changed;
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.5.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    serialNumber: "urn:uuid:289e2f00-d564-8c9d-8c77-f6671c373350",
    metadata: {
      component: {
        ...component("app", "1.0.0", { license: { id: "Apache-2.0" } }),
        type: "application",
        components: [{ type, name: file, hashes: [{ alg: "SHA-256", content }] }],
      },
    },
    components: [component("a", "2.0.0", licence)],
    dependencies: [{ ref: "app@1.0.0", dependsOn: ["a@2.0.0"] }],
  } as unknown as Bill;
}

test("a bill that names what is in the bundle has no findings", () => {
  assert.deepEqual(billFindings(billWith(), bundle, packages), []);
  assert.deepEqual(billFindings(billWith({ licence: { expression: "GPL-2.0 OR MIT" } }), bundle, packages), []);
});

for (const [name, bill, named, want] of [
  [
    "a package that the bill leaves out",
    billWith(),
    [...packages, "b@3.0.0"],
    ["b@3.0.0 is in the bundle and not in the bill"],
  ],
  [
    "another version",
    billWith(),
    ["app@1.0.0", "a@2.0.1"],
    ["a@2.0.1 is in the bundle and not in the bill", "a@2.0.0 is in the bill and not in the bundle"],
  ],
  [
    "a changed byte",
    billWith({ content: hash.replace(/^./, "_") }),
    packages,
    [
      "the bill has another hash for main.js, or none",
      'the bill breaks its schema at /metadata/component/components/0/hashes/0/content: must match pattern "^([a-fA-F0-9]{32}|[a-fA-F0-9]{40}|[a-fA-F0-9]{64}|[a-fA-F0-9]{96}|[a-fA-F0-9]{128})$"',
    ],
  ],
  [
    "a file that is not there",
    billWith({ file: "agent.js" }),
    packages,
    ["the bill has another hash for main.js, or none", "agent.js is in the bill and not in the bundle"],
  ],
  [
    "a licence that is not on the list",
    billWith({ licence: { license: { id: "AGPL-3.0-only" } } }),
    packages,
    ["the licence of a@2.0.0, AGPL-3.0-only, is not on the list in licences.ts"],
  ],
] as const) {
  test(`refused: ${name}`, () => assert.deepEqual(billFindings(bill, bundle, new Set(named)), want));
}

for (const [name, bill, at] of [
  ["a licence that SPDX does not have", billWith({ licence: { license: { id: "Free" } } }), "/components/0/licenses"],
  ["a type that CycloneDX does not have", billWith({ type: "script" }), "/metadata/component/components/0/type"],
] as const) {
  test(`refused by the schema: ${name}`, () => {
    const findings = billFindings(bill, bundle, packages);
    assert.ok(
      findings.some((finding) => finding.startsWith(`the bill breaks its schema at ${at}`)),
      findings.join("\n"),
    );
  });
}
