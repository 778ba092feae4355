import assert from "node:assert/strict";
import test from "node:test";
import { startTemporaryConsul, whyNoConsulAgent } from "./test-consul.ts";

const skip = whyNoConsulAgent() ?? false;

async function put(url: string, value: string, token?: string): Promise<number> {
  const headers: Record<string, string> = token === undefined ? {} : { "x-consul-token": token };
  const answer = await fetch(new URL("/v1/kv/a", url), { method: "PUT", body: value, headers });
  await answer.arrayBuffer();
  return answer.status;
}

test("an agent that is killed and started again keeps its data only if asked to", { skip }, async () => {
  for (const keepsData of [false, true]) {
    await using agent = await startTemporaryConsul({ keepsData });
    assert.equal(await put(agent.url, "1"), 200);
    await agent.kill();
    await assert.rejects(put(agent.url, "2"), TypeError);
    await agent.start();
    const answer = await fetch(new URL("/v1/kv/a?raw", agent.url));
    assert.equal(keepsData ? await answer.text() : answer.status, keepsData ? "1" : 404);
  }
});

test("an agent with a token refuses those who do not have it", { skip }, async () => {
  const token = "0c5d86a5-9e12-4c61-8b4f-f1a3a1a5a1b7";
  await using agent = await startTemporaryConsul({ token });
  assert.equal(await put(agent.url, "1"), 403);
  assert.equal(await put(agent.url, "1", token), 200);
});
