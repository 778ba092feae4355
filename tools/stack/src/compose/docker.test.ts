import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { docker, dockerShown, haveImages } from "./docker.ts";

const path = process.env["PATH"];
after(() => {
  process.env["PATH"] = path;
});

for (const [name, run] of Object.entries({ docker, dockerShown })) {
  test(`${name} says what to install where there is no Docker`, async () => {
    process.env["PATH"] = "";
    await assert.rejects(run(["version"]), /docker is not on PATH: install Docker 25/);
  });
}

test("haveImages pulls what is missing, and names what could not be pulled", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-docker-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const pulled = join(folder, "pulled");
  const script = `#!/bin/sh
case "$*" in
  "images --quiet there:1") echo 5a4559fb4f5d ;;
  "images --quiet"*) ;;
  "pull --quiet away:1") echo "no such host" >&2; exit 1 ;;
  *) echo "$*" >> ${pulled} ;;
esac
`;
  writeFileSync(join(folder, "docker"), script, { mode: 0o755 });
  process.env["PATH"] = folder;

  await haveImages(["there:1", "new:1"]);
  assert.equal(readFileSync(pulled, "utf8"), "pull --quiet new:1\n");
  await assert.rejects(haveImages(["away:1", "there:1"]), /could not be pulled:\naway:1: .*\nno such host$/);
});
