/** Checks the protos of other projects for `npm run check`. */
import { resolve } from "node:path";
import { runCommand } from "@plumbline/tools-stack/command";
import { checkThirdParty } from "./check-third-party.ts";

await runCommand(
  {
    name: "npm run check -- protos",
    about: "Checks that the protos of other projects have a licence, a source and a version.",
  },
  () => {
    const problems = checkThirdParty(resolve(import.meta.dirname, "../../../.."));
    for (const problem of problems) console.error(problem);
    console.log(problems.length === 0 ? "protos: licences and origins are there" : `protos: ${problems.length} wrong`);
    return problems.length === 0 ? 0 : 1;
  },
);
