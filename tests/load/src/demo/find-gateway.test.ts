import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import test from "node:test";
import { findGateway } from "./find-gateway.ts";

async function listening(status: number) {
  const server = createServer((_, response) => response.writeHead(status).end()).listen(0, "localhost");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { port, close, [Symbol.asyncDispose]: close };
}

test("the first ready gateway is found, after one that is not ready and a closed port", async () => {
  const gone = await listening(200);
  await gone.close();
  await using draining = await listening(503);
  await using ready = await listening(200);
  await using later = await listening(200);
  const found = await findGateway([gone.port, draining.port, ready.port, later.port]);
  assert.equal(found, `http://localhost:${ready.port}`);
});

test("without a ready gateway the message names the ports and what to do", async () => {
  await using draining = await listening(503);
  await assert.rejects(findGateway([draining.port]), /no gateway is ready at localhost:\d+ .*--url/);
});
