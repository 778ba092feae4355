/** The files of the chart that are generated. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { Service } from "../settings/services.ts";
import { chartReadme } from "./readme.ts";
import { chartServices, serviceTable } from "./service-table.ts";
import { valuesSchema } from "./values-schema.ts";

/** Returns the right text of each generated file, by its path in the folder of the chart. */
export function chartFiles(all: readonly Service[], folder: string): Readonly<Record<string, string>> {
  const services = all.filter(({ name }) => chartServices.some((row) => row.name === name));
  return {
    "values.schema.json": valuesSchema(services),
    "files/services.json": serviceTable(services),
    "README.md": chartReadme(readFileSync(join(folder, "values.yaml"), "utf8")),
  };
}

/** Returns one sentence for each service that values.yaml lacks, or has too much. */
export function rowProblems(values: string): string[] {
  const { services } = parse(values) as { services: Readonly<Record<string, unknown>> };
  const names: readonly string[] = chartServices.map(({ name }) => name);
  return [
    ...names.filter((name) => !(name in services)).map((name) => `values.yaml has no services.${name}`),
    ...Object.keys(services)
      .filter((name) => !names.includes(name))
      .map((name) => `services.${name} of values.yaml has no row in tools/stack/src/services.ts`),
  ];
}
