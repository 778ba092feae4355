/** `npm run claims`: proves what README and docs/ say, by running it. Exit code 1 if one fails. */
import { resolve } from "node:path";
import { flag, runCommand, text, UsageError } from "@plumbline/tools-stack/command";
import { claims } from "./list.ts";
import { proveRepository } from "./prove-repository.ts";

await runCommand(
  {
    name: "npm run claims",
    about:
      'Proves what the README and the pages of docs/ say: runs the fast claims and the blocks marked "sh run", and checks that every script, project, file and link that a page names exists. Writes nothing.',
    options: {
      all: flag("runs the tests and the slow claims too; takes hours"),
      only: text("runs only claims that have TEXT in them or in their command, whatever they cost"),
      write: flag("writes the figures and dates of what was run to docs/claims.md"),
    },
  },
  async ({ values }) => {
    const { only } = values;
    const chosen = claims.filter(({ claim, command, cost }) =>
      only === undefined ? cost === "fast" || values.all : claim.includes(only) || command.includes(only),
    );
    if (chosen.length === 0) {
      throw new UsageError(`no claim has ${JSON.stringify(only)} in it`);
    }
    const failures = await proveRepository({
      root: resolve(import.meta.dirname, "../../../.."),
      claims,
      chosen,
      pages: only === undefined,
      write: values.write,
      log: console.log,
    });
    console.log(failures === 0 ? "claims: all that was run is proven" : `claims: ${failures} failed`);
    return failures === 0 ? 0 : 1;
  },
);
