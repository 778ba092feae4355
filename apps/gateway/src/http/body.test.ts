import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { test } from "node:test";
import { Bodies } from "./body.ts";

const text = '{"name":"Ada"}';

for (const chunks of [[text], [text.slice(0, 5), text.slice(5)], text.split("")]) {
  test(`a body that has arrived in ${chunks.length} chunks is read as a whole`, async () => {
    const bodies = new Bodies(() => ({
      perClient: 1,
      bytesPerClient: 1_000,
      bytesInAll: 1_000,
      leastRate: 1,
      graceMs: 10_000,
    }));
    // A request that waits, as for the rate limit, has all of its chunks when its body is read.
    const request = new Readable({ read() {} });
    for (const chunk of chunks) request.push(Buffer.from(chunk));
    request.push(null);
    const headers = { "content-type": "application/json", "content-length": String(text.length) };
    const message = Object.assign(request, { headers }) as unknown as IncomingMessage;
    const { bytes } = await bodies.read(message, {} as ServerResponse, 1_000, "client");
    assert.equal(Buffer.from(bytes).toString(), text);
  });
}
