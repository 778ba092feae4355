/**
 * `npm run settings`: writes docs/settings.md from the services' schemas. With --check it writes
 * nothing. It fails if the page is out of date, or if compose or the embedded stack would start a
 * service with settings that it refuses.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { composeServices, envFile } from "./compose.ts";
import { settingsDocument } from "./document.ts";
import { findDrift } from "./drift.ts";
import { embeddedServices } from "./embedded.ts";
import { findServices } from "./services.ts";

const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });
const root = resolve(import.meta.dirname, "../../../..");
process.chdir(root); // Services read config/ from their working folder, which is the root.

const services = await findServices(root);
const page = settingsDocument(services);
if (values.check) {
  const file = readFileSync("docker-compose.yml", "utf8");
  const variables = envFile(readFileSync(".env", "utf8"));
  const profiles = ["observability", "chaos"].map((name) =>
    envFile(readFileSync(`deploy/compose/${name}.env`, "utf8")),
  );
  const compose = [new Map(), ...profiles].flatMap((added) => composeServices(file, new Map([...variables, ...added])));
  // A profile repeats the problems that exist without it.
  const problems = new Set([
    ...(readFileSync("docs/settings.md", "utf8") === page ? [] : ["docs/settings.md is stale: run npm run settings"]),
    ...(await findDrift(services, compose)),
    ...(await findDrift(services, embeddedServices())),
  ]);
  for (const problem of problems) console.error(problem);
  console.log(
    problems.size === 0
      ? `settings: the page, ${compose.length} containers of all profiles and the embedded stack agree with the schemas`
      : `settings: ${problems.size} wrong`,
  );
  process.exitCode = problems.size === 0 ? 0 : 1;
} else {
  writeFileSync("docs/settings.md", page);
  console.log("docs/settings.md is written");
}
