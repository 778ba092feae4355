/**
 * `npm run settings`: writes docs/settings.md from the services' schemas. With --check it fails
 * when the page is stale, or when compose or the embedded stack would start a service with settings
 * that it does not take.
 */
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { clusterRows, generateContracts, profileRows } from "@plumbline/tools-stack";
import { flag, runCommand } from "@plumbline/tools-stack/command";
import { composeServices, envFile } from "./compose.ts";
import { embeddedServices } from "./embedded.ts";
import { findServices } from "./services.ts";

await runCommand(
  {
    name: "npm run settings",
    about: "Writes docs/settings.md from the schemas of the services.",
    options: {
      check: flag("writes nothing, fails when the page is stale or something starts a service with wrong settings"),
    },
  },
  async ({ values }) => {
    const root = resolve(import.meta.dirname, "../../../..");
    process.chdir(root); // Services read config/ from the folder in which they are started.
    await generateContracts(root);
    // These load what has just been generated.
    const [{ settingsDocument }, { findDrift }] = await Promise.all([import("./document.ts"), import("./drift.ts")]);

    const services = await findServices(root);
    const page = settingsDocument(services);
    if (values.check) {
      const file = readFileSync("docker-compose.yml", "utf8");
      const variables = envFile(readFileSync(".env", "utf8"));
      const profiles = globSync("deploy/compose/*.env").map((path) => envFile(readFileSync(path, "utf8")));
      const compose = [new Map(), ...profiles].flatMap((added) =>
        composeServices(file, new Map([...variables, ...added])),
      );
      const isOf = (rows: typeof clusterRows, name: string) => rows.some((row) => row.name === name);
      // A chart starts the others.
      const composed = services.filter(({ name }) => !isOf(clusterRows, name));
      const embedded = composed.filter(({ name }) => !isOf(profileRows, name));
      // A profile repeats what is wrong without it.
      const problems = new Set([
        ...(readFileSync("docs/settings.md", "utf8") === page
          ? []
          : ["docs/settings.md is stale: run npm run settings"]),
        ...(await findDrift(composed, compose)),
        ...(await findDrift(embedded, embeddedServices())),
      ]);
      for (const problem of problems) console.error(problem);
      console.log(
        problems.size === 0
          ? `settings: the page, ${compose.length} containers of all profiles and the embedded stack agree with the schemas`
          : `settings: ${problems.size} wrong`,
      );
      return problems.size === 0 ? 0 : 1;
    }
    writeFileSync("docs/settings.md", page);
    console.log("docs/settings.md is written");
    return 0;
  },
);
