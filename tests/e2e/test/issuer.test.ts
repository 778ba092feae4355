/** The issuer of tokens is killed under load, stays away, and comes back with other keys. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { sleep } from "@plumbline/concurrency";
import { noCredentials, useCredentials } from "@plumbline/tools-stack";
import { call, eventually, post } from "../src/http.ts";
import { runStack } from "../src/stack.ts";

test("the issuer is killed and restarted under load: no good token is refused, and a watch goes on (negative 26)", {
  timeout: 200_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tokens-"));
  try {
    await using running = await runStack({ tokens: folder });
    const { base, ports, stack } = running;
    useCredentials(base, noCredentials); // Each request says who sends it.
    const issuer = stack.programs.get("issuer");
    assert.ok(issuer);
    const orders = `${base}/v1/orders`;
    const ofAda = () => readFileSync(join(folder, "ada"), "utf8").trim().replace("Authorization: ", "");

    // Tokens that the gateway has not seen when the issuer dies. Each is of a caller of its own.
    const unseen = await Promise.all(
      Array.from({ length: 10 }, async (_, index) => {
        const { json } = await call(`http://127.0.0.1:${ports.issuer}/token`, {
          method: "POST",
          headers: { authorization: `Basic ${btoa(`ada-${index + 1}:ada`)}` },
          body: new URLSearchParams({ grant_type: "client_credentials" }),
        });
        return `Bearer ${json["access_token"]}`;
      }),
    );

    await stack.programs.get("worker")?.stop(); // So that the order waits until it is cancelled.
    const placed = await post(orders, { items: [{ sku: "tea", quantity: 1 }] }, { authorization: ofAda() });
    assert.equal(placed.status, 200, placed.text);
    const order = `${orders}/${placed.json["id"]}`;
    const watch = await fetch(`${order}:watch`, { headers: { authorization: ofAda() } });
    assert.equal(watch.status, 200);
    const watched = watch.text();

    const stop = new AbortController();
    const counts = { answered: 0, renewed: 0 };
    const failures: string[] = [];
    /** Sends a token. A refusal counts unless the issuer has replaced its tokens meanwhile. */
    const send = async (authorization: string): Promise<void> => {
      const current = ofAda();
      const { status, text } = await call(orders, { headers: { authorization } });
      if (status === 200) counts.answered += 1;
      else if (status === 401 && current !== ofAda()) counts.renewed += 1;
      else failures.push(`${status} ${text}`);
    };
    const load = Array.from({ length: 4 }, async () => {
      while (!stop.signal.aborted) {
        await send(ofAda()).catch((error: unknown) => failures.push(String(error)));
        await sleep(200); // 20 a second: the gateway refuses more than 50 of one caller.
      }
    });
    /** Waits until the load has had this many more answers. */
    const more = async (answers: number): Promise<void> => {
      const wanted = counts.answered + answers;
      await eventually(
        async () => counts.answered >= wanted || failures.length > 0,
        (isDone) => isDone,
        60_000,
      );
      assert.deepEqual(failures, []);
    };
    try {
      await more(20);
      const before = ofAda();
      await issuer.kill();
      await assert.rejects(call(`http://127.0.0.1:${ports.issuer}/healthz`));
      await Promise.all(unseen.map((token) => send(token)));
      await more(60);
      assert.equal(ofAda(), before);

      issuer.start();
      await issuer.ready({ signal: AbortSignal.timeout(60_000) });
      const after = ofAda();
      assert.notEqual(after, before);
      await more(60);
      assert.equal((await call(order, { headers: { authorization: after } })).status, 200);
      // The keys of the tokens before are gone, and so are the tokens.
      const old = await call(order, { headers: { authorization: before } });
      assert.deepEqual([old.status, old.json["reason"]], [401, "TOKEN_INVALID"]);
    } finally {
      stop.abort();
      await Promise.all(load);
    }
    assert.deepEqual(failures, []);
    t.diagnostic(
      `${counts.answered} requests answered, ${counts.renewed} refused, whose token the issuer had replaced`,
    );

    assert.equal((await post(`${order}:cancel`, {}, { authorization: ofAda() })).status, 200);
    const statuses = [...(await watched).matchAll(/"status":"(\w+)"/g)].map(([, status]) => status);
    assert.deepEqual(statuses, ["ORDER_STATUS_PENDING", "ORDER_STATUS_CANCELLED"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
