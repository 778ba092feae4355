import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import test from "node:test";
import { Balancer } from "./balancer.ts";

/** A gateway that has only /readyz. */
async function gateway() {
  const state = { ready: true };
  const server = createServer((request, response) => {
    response.writeHead(request.url === "/readyz" && state.ready ? 200 : 503).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    state,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error("waited 10 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("ready gateways get requests in turn; one that is not ready, or gone, gets none", async () => {
  const [a, b] = [await gateway(), await gateway()];
  const balancer = new Balancer([a.url, b.url]);
  assert.equal(balancer.pick(), undefined, "no gateway has answered yet");
  const stop = new AbortController();
  const running = balancer.run(stop.signal);
  const picked = () => new Set([balancer.pick(), balancer.pick()]);
  try {
    await until(() => picked().size === 2);
    b.state.ready = false;
    await until(() => picked().size === 1);
    assert.deepEqual([...picked()], [a.url]);
    b.state.ready = true;
    await until(() => picked().size === 2);
    a.close();
    await until(() => picked().size === 1);
    assert.deepEqual([...picked()], [b.url]);
    balancer.put([]);
    assert.equal(balancer.pick(), undefined);
  } finally {
    stop.abort();
    await running;
    a.close();
    b.close();
  }
});

test("waiting for the first ready gateway rejects if there is none in time", async () => {
  const a = await gateway();
  a.state.ready = false;
  const balancer = new Balancer([a.url]);
  const stop = new AbortController();
  const running = balancer.run(stop.signal);
  try {
    await assert.rejects(balancer.ready(1), new RegExp(`no gateway of ${a.url} said within 1 ms`));
    a.state.ready = true;
    await balancer.ready();
    assert.equal(balancer.pick(), a.url);
  } finally {
    stop.abort();
    await running;
    a.close();
  }
});
