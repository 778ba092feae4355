import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hasContainer } from "../containers/available.ts";
import { etcdImage } from "../containers/etcd.ts";
import { freePort } from "../free-ports.ts";
import { type EtcdProgram, findEtcd, putMissing, startStackEtcd } from "./stack-etcd.ts";
import { hasEtcd } from "./start-etcd.ts";

async function valueOf(url: string, key: string): Promise<string> {
  const answer = await fetch(new URL("/v3/kv/range", url), {
    method: "POST",
    body: JSON.stringify({ key: btoa(key) }),
  });
  const { kvs = [] } = (await answer.json()) as { kvs?: { value: string }[] };
  return atob(kvs[0]?.value ?? "");
}

const programs: readonly (readonly [string, EtcdProgram, string | false])[] = [
  ["the etcd of this machine", { command: "etcd" }, !hasEtcd() && "etcd is not installed"],
  ["a container", { image: etcdImage }, !hasContainer(etcdImage) && `no Docker engine has the image ${etcdImage}`],
];

for (const [name, program, skip] of programs) {
  test(`${name} keeps its data for the next start, and documents that are there stay`, { skip }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "stack-etcd-"));
    const options = { dataDir: join(folder, "etcd"), port: await freePort() };
    try {
      {
        await using etcd = await startStackEtcd(program, options);
        assert.equal(etcd.url, `http://127.0.0.1:${options.port}`);
        assert.deepEqual(await putMissing(etcd.url, new Map([["a", "1"]])), ["a"]);
      }
      await assert.rejects(fetch(`http://127.0.0.1:${options.port}/health`), "it has ended");
      await using etcd = await startStackEtcd(program, options);
      const documents = new Map([
        ["a", "2"],
        ["b", "é"],
      ]);
      assert.deepEqual(await putMissing(etcd.url, documents), ["b"]);
      assert.equal(await valueOf(etcd.url, "a"), "1");
      assert.equal(Buffer.from(await valueOf(etcd.url, "b"), "latin1").toString(), "é");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

test("a start that fails has the last lines of etcd", { skip: !hasEtcd() && "etcd is not installed" }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "stack-etcd-"));
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as { port: number };
    await assert.rejects(startStackEtcd({ command: "etcd" }, { dataDir: join(folder, "etcd"), port }), {
      code: "start_failed",
      message: /did not become healthy on port \d+\. Its last lines:\n.*address already in use/s,
    });
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("without etcd on the PATH and without Docker nothing is found", {
  skip: existsSync("/usr/bin/etcd") && "Debian's etcd does not depend on the PATH",
}, () => {
  assert.equal(findEtcd({ PATH: "/nowhere" }), undefined);
});
