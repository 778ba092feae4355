import assert from "node:assert/strict";
import test from "node:test";
import { startTemporaryEtcd, whyNoEtcdServer } from "./test-etcd.ts";

const skip = whyNoEtcdServer() ?? false;

/** Calls etcd's gateway of JSON over HTTP, in which keys and values are base64. */
async function call(url: string, method: string, body: unknown): Promise<unknown> {
  const answer = await fetch(new URL(`/v3/kv/${method}`, url), { method: "POST", body: JSON.stringify(body) });
  return await answer.json();
}

for (const keepsData of [true, false]) {
  test(`a server that is killed and started again ${keepsData ? "keeps" : "loses"} its data and keeps its address`, {
    skip,
  }, async () => {
    await using server = await startTemporaryEtcd({ keepsData });
    const [key, value] = [btoa("a"), btoa("1")];
    await call(server.url, "put", { key, value });
    await server.kill();
    await assert.rejects(call(server.url, "range", { key }), TypeError);
    await server.start();
    const { kvs = [] } = (await call(server.url, "range", { key })) as { kvs?: { value: string }[] };
    assert.deepEqual(
      kvs.map((found) => found.value),
      keepsData ? [value] : [],
    );
  });
}
