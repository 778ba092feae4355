import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { codeOf, ServiceError } from "@plumbline/errors";
import { eventually } from "@plumbline/tools-engines";
import { serve } from "../../test/http-server.ts";
import { fetchAll } from "./fetch-all.ts";

const options = { concurrency: 4, timeoutMs: 10_000 };
/** Waits until `condition` holds. */
const untilTrue = (condition: () => boolean) => eventually(condition, (holds) => holds);
const text = (response: Response): Promise<string> => response.text();
const urls = (base: string, count: number): { url: string }[] =>
  Array.from({ length: count }, (_, index) => ({ url: `${base}/${index}` }));

test("results keep the order of the requests, whatever the order of the answers", async () => {
  const held: (() => void)[] = [];
  await using server = await serve((request, response) => {
    held.push(() => response.end(request.url));
    // The last request is answered first.
    if (held.length === 4) for (const answer of held.toReversed()) answer();
  });
  assert.deepEqual(await fetchAll(urls(server.url, 4), text, options), ["/0", "/1", "/2", "/3"]);
});

test("the server sees exactly as many requests at a time as are allowed", async () => {
  const held: ServerResponse[] = [];
  let came = 0;
  await using server = await serve((_, response) => {
    came++;
    held.push(response);
    // Gives a request over the limit the time to arrive.
    if (held.length === 3 || came === 20) setTimeout(() => held.splice(0).forEach((each) => each.end("ok")), 25);
  });
  const results = await fetchAll(urls(server.url, 20), text, { ...options, concurrency: 3 });
  assert.equal(results.length, 20);
  assert.deepEqual([server.seen.most, server.seen.came], [3, 20]);
});

test("the first failure aborts the requests in flight and starts no more", async () => {
  await using server = await serve((request, response) => {
    if (request.url === "/2") void untilTrue(() => server.seen.active === 4).then(() => response.writeHead(500).end());
  });
  const failure = new ServiceError("unavailable", "supplier answered 500");
  const read = async (response: Response): Promise<string> => {
    if (!response.ok) throw failure;
    return response.text();
  };
  await assert.rejects(fetchAll(urls(server.url, 10), read, options), failure);
  await untilTrue(() => server.seen.active === 0);
  assert.deepEqual([server.seen.came, server.seen.hungUp], [4, 3]);
});

for (const { name, answer } of [
  { name: "to begin", answer: () => {} },
  { name: "to end its body", answer: (response: ServerResponse) => void response.write("only the beginning") },
]) {
  test(`the deadline ends the wait for an answer ${name}`, async () => {
    await using server = await serve((_, response) => answer(response));
    const fetching = fetchAll(urls(server.url, 3), text, { ...options, timeoutMs: 200 });
    await assert.rejects(fetching, (error: unknown) => codeOf(error) === "deadline_exceeded");
    await untilTrue(() => server.seen.active === 0);
    assert.equal(server.seen.hungUp, server.seen.came);
  });
}

test("aborting the signal aborts every request with its reason", async () => {
  await using server = await serve(() => {});
  const controller = new AbortController();
  const reason = new Error("the client hung up");
  const fetching = assert.rejects(
    fetchAll(urls(server.url, 3), text, { ...options, signal: controller.signal }),
    reason,
  );
  await untilTrue(() => server.seen.active === 3);
  controller.abort(reason);
  await fetching;
  await untilTrue(() => server.seen.hungUp === 3);
});

test("the abort of a request's own signal is a failure like any other", async () => {
  await using server = await serve(() => {});
  const own = new AbortController();
  const reason = new Error("this one");
  const requests = [{ url: server.url }, { url: server.url, init: { signal: own.signal } }];
  const fetching = assert.rejects(fetchAll(requests, text, options), reason);
  await untilTrue(() => server.seen.active === 2);
  own.abort(reason);
  await fetching;
  await untilTrue(() => server.seen.hungUp === 2);
});

test("a refused connection is unavailable, with the origin in the message and the cause kept", async () => {
  let gone = "";
  {
    await using server = await serve(() => {});
    gone = server.url;
  }
  await assert.rejects(fetchAll([{ url: `${gone}/stock?key=secret` }], text, options), (error: unknown) => {
    assert.ok(error instanceof ServiceError);
    assert.equal(error.code, "unavailable");
    assert.equal(error.message, `no answer from ${gone}`);
    assert.ok(error.cause instanceof TypeError);
    return true;
  });
});

test("the reader gets answers of every status, with their index", async () => {
  await using server = await serve((request, response) => response.writeHead(request.url === "/1" ? 404 : 200).end());
  const read = async (response: Response, index: number): Promise<string> => `${index}: ${response.status}`;
  assert.deepEqual(await fetchAll(urls(server.url, 2), read, options), ["0: 200", "1: 404"]);
});

test("an unread body is cancelled", async () => {
  await using server = await serve((_, response) => void response.write("there is no end to this"));
  // Kept, because Node too cancels a body, once its response has been collected.
  const kept: Response[] = [];
  const read = async (response: Response): Promise<number> => {
    kept.push(response);
    return response.status;
  };
  assert.deepEqual(await fetchAll(urls(server.url, 2), read, options), [200, 200]);
  await untilTrue(() => server.seen.hungUp === 2);
  assert.equal(kept.length, 2);
});

test("a string that is not a URL is refused before anything is sent", async () => {
  await using server = await serve((_, response) => response.end());
  await assert.rejects(fetchAll([{ url: server.url }, { url: "/relative" }], text, options), {
    code: "ERR_INVALID_URL",
  });
  assert.equal(server.seen.came, 0);
});

test("no requests give no results", async () => {
  assert.deepEqual(await fetchAll([], text, options), []);
});

test("it leaves no listener on the signals", async () => {
  await using server = await serve((_, response) => response.end("ok"));
  const [{ signal }, own] = [new AbortController(), new AbortController()];
  const requests = urls(server.url, 20).map(({ url }) => ({ url, init: { signal: own.signal } }));
  await fetchAll(requests, text, { ...options, signal });
  assert.equal(getEventListeners(signal, "abort").length, 0);
  assert.equal(getEventListeners(own.signal, "abort").length, 0);
});
