/**
 * `npm run services`: writes the files that follow from the table of services. With --check it only
 * compares.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { flag, runCommand } from "@plumbline/tools-stack/command";
import { checkCompose, secretsFolder } from "./check-compose.ts";
import { derivedFiles } from "./derived-files.ts";

await runCommand(
  {
    name: "npm run services",
    about: "Writes the files that are made from the table of services, tools/stack/src/services.ts.",
    options: { check: flag("writes nothing, fails when one is stale or docker-compose.yml disagrees") },
  },
  ({ values }) => {
    process.chdir(resolve(import.meta.dirname, "../../../.."));

    const stale = Object.entries(derivedFiles).flatMap(([path, derive]) => {
      const current = existsSync(path) ? readFileSync(path, "utf8") : "";
      const text = derive(current);
      return text === current ? [] : [{ path, text }];
    });
    const problems = checkCompose(readFileSync("docker-compose.yml", "utf8"), new Set(readdirSync(secretsFolder)));
    if (values.check) problems.unshift(...stale.map(({ path }) => `${path} is stale: run npm run services`));
    else {
      for (const { path, text } of stale) {
        writeFileSync(path, text);
        console.log(`${path} is written`);
      }
    }
    for (const problem of problems) console.error(problem);
    console.log(
      problems.length === 0
        ? `services: ${Object.keys(derivedFiles).length} files and docker-compose.yml agree with the table`
        : `services: ${problems.length} wrong`,
    );
    return problems.length === 0 ? 0 : 1;
  },
);
