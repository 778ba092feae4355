import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bill } from "@plumbline/tools-build/bill";
import { Ajv } from "ajv";
import { allows, freeLicences } from "../lockfile/licences.ts";

/** The files of a bundle, by their name. */
export type Files = ReadonlyMap<string, Uint8Array>;

/** Returns one sentence for each file that two builds do not have in common, byte for byte. */
export function differences(first: Files, second: Files): string[] {
  return [...new Set([...first.keys(), ...second.keys()])].toSorted().flatMap((name) => {
    const [one, other] = [first.get(name), second.get(name)].map((bytes) => bytes && Buffer.from(bytes));
    if (one === undefined || other === undefined) return [`${name} is made by one of two builds only`];
    if (one.equals(other)) return [];
    const at = one.findIndex((byte, index) => byte !== other[index]);
    const around = (bytes: Buffer) => JSON.stringify(bytes.toString("utf8", Math.max(0, at - 30), at + 50));
    return [`${name} differs between two builds: ${around(one)} and ${around(other)}`];
  });
}

/**
 * Returns one sentence for each thing that a bill says wrongly about a bundle. `packages` are those
 * of its source maps, as `name@version`.
 */
export function billFindings(bill: Bill, bundle: Files, packages: ReadonlySet<string>): string[] {
  const { component } = bill.metadata;
  const all = [component, ...bill.components];
  const billed = new Set(all.map((one) => one["bom-ref"]));
  const files = new Map(component.components.map(({ name, hashes }) => [name, hashes[0]?.content]));
  const scripts = [...bundle].filter(([name]) => name.endsWith(".js"));
  const licences = all.map(
    ({ licenses: [first] = [], ...one }) =>
      [one["bom-ref"], first && ("expression" in first ? first.expression : first.license.id)] as const,
  );
  return [
    ...[...packages].filter((one) => !billed.has(one)).map((one) => `${one} is in the bundle and not in the bill`),
    ...[...billed].filter((one) => !packages.has(one)).map((one) => `${one} is in the bill and not in the bundle`),
    ...scripts
      .filter(([name, bytes]) => files.get(name) !== createHash("sha256").update(bytes).digest("hex"))
      .map(([name]) => `the bill has another hash for ${name}, or none`),
    ...[...files.keys()]
      .filter((name) => !bundle.has(name))
      .map((name) => `${name} is in the bill and not in the bundle`),
    ...licences
      .filter(([, licence]) => licence === undefined || !allows(freeLicences, licence))
      .map(([one, licence]) => `the licence of ${one}, ${licence ?? "none"}, is not on the list in licences.ts`),
    ...schemaFindings(bill),
  ];
}

/** The schema of CycloneDX 1.5, and what it refers to. */
const [schema, ...others] = ["bom-1.5", "spdx", "jsf-0.82"].map(
  (name) => JSON.parse(readFileSync(join(import.meta.dirname, `schema/${name}.schema.json`), "utf8")) as object,
);
// Formats such as `iri-reference` are not checked: no address stands in a bill.
const validate = new Ajv({ strict: false, validateFormats: false, allErrors: true, schemas: others }).compile(
  schema ?? {},
);

function schemaFindings(bill: unknown): string[] {
  if (validate(bill)) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message }) => `the bill breaks its schema at ${instancePath || "/"}: ${message}`,
  );
}
