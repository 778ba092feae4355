/** `npm run claims`: proves what README and docs/ say, by running it. Exit code 1 if one fails. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { claims } from "./list.ts";
import { proveRepository } from "./prove-repository.ts";

const usage = `npm run claims [-- OPTIONS]
Proves what the README and the pages of docs/ claim: runs the fast claims and the blocks marked "sh run",
and checks that every script, project, file and link that a page names exists. Writes nothing.
  --all          runs the tests and the slow claims too; takes hours
  --only TEXT    runs only claims that have TEXT in them or in their command, whatever they cost
  --write        writes the figures and dates of what was run to docs/claims.md`;

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      all: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      only: { type: "string" },
      write: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const { only } = values;
  const chosen = claims.filter(({ claim, command, cost }) =>
    only === undefined ? cost === "fast" || values.all : claim.includes(only) || command.includes(only),
  );
  if (chosen.length === 0) {
    console.error(`claims: no claim has "${only}" in it`);
    return 2;
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
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof TypeError) || !("code" in error)) throw error;
  console.error(`claims: ${error.message}`);
  process.exitCode = 2;
}
