import assert from "node:assert/strict";
import { after, test } from "node:test";
import { docker, dockerShown } from "./docker.ts";

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
