import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "../../..");

test("a clone has the line ends of the repository, whatever core.autocrlf says", {
  skip: existsSync(join(root, ".git")) ? false : "NOT RUN: this is no clone",
}, () => {
  const options = { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 } as const;
  const args = ["-c", "core.autocrlf=true", "-c", "safe.directory=*", "ls-files", "--eol"];
  // Files that are not added yet, too.
  const which = ["--cached", "--others", "--exclude-standard"];
  // The index, the folder and the attributes of each file, and its name.
  const files = execFileSync("git", [...args, ...which], options)
    .trim()
    .split("\n");
  assert.ok(files.length > 100);
  const converted = files.filter((line) => !/\beol=lf\b/.test(line) && !/^i\/\S* +w\/-text/.test(line));
  assert.deepEqual(converted, [], "files whose line ends git would change: see .gitattributes");
  assert.deepEqual(
    files.filter((line) => /^i\/(?:crlf|mixed)/.test(line)),
    [],
  );
});
