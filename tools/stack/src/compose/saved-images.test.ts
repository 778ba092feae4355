import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { docker } from "./docker.ts";
import { whyNoCompose } from "./open-compose.ts";
import { savedImages } from "./saved-images.ts";

// tar reads 20 blocks of 512 bytes at a time. An archive that ends with them is a case of its own.
test("images whose archive has any number of blocks are read", { skip: whyNoCompose() }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-saved-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const name = (blocks: number) => `plumbline/saved-${process.pid}:${blocks}`;
  const archive = join(folder, "layer.tar");
  for (let blocks = 1; blocks <= 20; blocks++) {
    writeFileSync(join(folder, "file"), Buffer.alloc(blocks * 512));
    execFileSync("tar", ["-c", "-b", "1", "-f", archive, "-C", folder, "file"]);
    await docker(["import", archive, name(blocks)]);
    t.after(() => docker(["rmi", name(blocks)]));
    const [image] = await savedImages([name(blocks)]);
    assert.equal(image?.layers.length, 1, `${blocks} blocks`);
  }
});
