import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startTelemetry } from "@plumbline/telemetry";
import { openGateway } from "./support/gateway.ts";
import { MemoryUpstream } from "./support/memory-upstream.ts";
import { plumbline } from "./support/orders.ts";
import { answerIn, rawConnection } from "./support/raw.ts";

const order = { id: "7", customerId: "c", version: "1" };
const upstream = new MemoryUpstream(plumbline, {
  SayHello: () => ({ message: "Hello" }),
  PlaceOrder: () => order,
  CancelOrder: () => order,
});

/** Sends bytes and returns the first answer that is final. */
async function send(port: number, bytes: string) {
  using connection = await rawConnection(port);
  connection.write(bytes);
  const text = await connection.received(/^HTTP\/1\.1 [2-5]\d\d[^]*?\r\n\r\n(?:\{[^]*\}|$)/);
  return { text, ...answerIn(text) };
}

const greet = "GET /v1/greetings/a HTTP/1.1";
const post = "POST /v1/orders HTTP/1.1\r\nHost: x";
const json = "Content-Type: application/json";

describe("a request is refused at once, with a problem document:", () => {
  for (const { name, bytes, status, reason } of [
    { name: "two Host fields", bytes: `${greet}\r\nHost: a\r\nHost: a\r\n\r\n`, status: 400 },
    { name: "two Host fields to a probe", bytes: "GET /healthz HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", status: 400 },
    { name: "no Host", bytes: `${greet}\r\n\r\n`, status: 400 },
    { name: "an empty Host", bytes: `${greet}\r\nHost:\r\n\r\n`, status: 400 },
    { name: "a Host with a space", bytes: `${greet}\r\nHost: a b\r\n\r\n`, status: 400 },
    { name: "a Host with a path", bytes: `${greet}\r\nHost: a/b\r\n\r\n`, status: 400 },
    { name: "a Host with a user", bytes: `${greet}\r\nHost: a@b\r\n\r\n`, status: 400 },
    { name: "a Host that is a list", bytes: `${greet}\r\nHost: a, b\r\n\r\n`, status: 400 },
    { name: "a Host with an open bracket", bytes: `${greet}\r\nHost: [::1\r\n\r\n`, status: 400 },
    { name: "a Host whose port is a word", bytes: `${greet}\r\nHost: a:http\r\n\r\n`, status: 400 },
    { name: "HTTP/2.0 in the request line", bytes: "GET /v1/greetings/a HTTP/2.0\r\nHost: x\r\n\r\n", status: 400 },
    { name: "HTTP/0.9", bytes: "GET /v1/greetings/a\r\n\r\n", status: 400 },
    {
      name: "another transfer coding",
      bytes: `${post}\r\n${json}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      status: 501,
    },
    {
      name: "a transfer coding in HTTP/1.0",
      bytes: `POST /v1/orders HTTP/1.0\r\nHost: x\r\n${json}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      status: 400,
      reason: undefined,
    },
    { name: "a GET with a body", bytes: `${greet}\r\nHost: x\r\nContent-Length: 5\r\n\r\n`, status: 400 },
    {
      name: "a GET of a page with a body",
      bytes: "GET /docs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
      status: 400,
    },
    {
      name: "an unknown expectation",
      bytes: `${greet}\r\nHost: x\r\nExpect: foo\r\n\r\n`,
      status: 417,
      reason: "EXPECTATION_FAILED",
    },
    { name: "CONNECT", bytes: "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", status: 405, reason: null },
  ].map((row) => ({ reason: "MALFORMED_REQUEST", ...row }))) {
    test(name, async () => {
      await using gateway = await openGateway(plumbline, { upstream });
      const answer = await send(gateway.port, bytes);
      assert.equal(answer.status, status, answer.text);
      assert.match(answer.text, /content-type: application\/problem\+json/i);
      assert.match(answer.text, /connection: close/i);
      assert.equal(answer.problem["status"], status);
      if (reason !== undefined) assert.equal(answer.problem["reason"] ?? null, reason);
    });
  }

  for (const host of ["x", "x:80", "a-b.example.", "[::1]:8080", "127.0.0.1", "a_b", "%41"]) {
    test(`but not the Host ${host}`, async () => {
      await using gateway = await openGateway(plumbline, { upstream });
      assert.equal((await send(gateway.port, `${greet}\r\nHost: ${host}\r\n\r\n`)).status, 200);
    });
  }

  test("but not HTTP/1.0 without Host", async () => {
    await using gateway = await openGateway(plumbline, { upstream });
    assert.equal((await send(gateway.port, "GET /v1/greetings/a HTTP/1.0\r\n\r\n")).status, 200);
  });
});

test("with http.hosts only those hosts are served, and probes under any", async () => {
  await using gateway = await openGateway(plumbline, { upstream, hosts: "localhost, [::1],shop.example" });
  const status = async (path: string, host: string): Promise<number> =>
    (await send(gateway.port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).status;
  for (const host of ["localhost", "localhost:8080", "LOCALHOST:1", "[::1]:80", "shop.example"])
    assert.equal(await status("/v1/greetings/a", host), 200, host);
  for (const host of ["rebind.example:8080", "localhost.evil.example", "127.0.0.1", "[::2]"])
    assert.equal(await status("/v1/greetings/a", host), 421, host);
  assert.equal(await status("/healthz", "10.1.2.3:8080"), 200);
});

describe("a client that waits for 100 Continue", () => {
  const expecting = (path: string, ...headers: string[]): string =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n${headers.join("\r\n")}\r\n\r\n`;

  for (const { name, bytes, status } of [
    { name: "too long", bytes: expecting("/v1/orders", json, "Content-Length: 99999999"), status: 413 },
    { name: "of a wrong type", bytes: expecting("/v1/orders", "Content-Type: a/b", "Content-Length: 9"), status: 415 },
    { name: "of a wrong type and chunked", bytes: expecting("/v1/orders", "Transfer-Encoding: chunked"), status: 415 },
    { name: "for an unknown path", bytes: expecting("/v9/orders", json, "Content-Length: 9"), status: 404 },
    { name: "for a wrong method", bytes: expecting("/v1/greetings/a", json, "Content-Length: 9"), status: 405 },
  ]) {
    test(`with a body ${name} gets ${status} and no 100`, async () => {
      await using gateway = await openGateway(plumbline, { upstream });
      const answer = await send(gateway.port, bytes);
      assert.equal(answer.status, status, answer.text);
      assert.match(answer.text, /connection: close/i);
    });
  }

  test("gets 100 once its body is wanted, and its answer after the body", async () => {
    await using gateway = await openGateway(plumbline, { upstream });
    using connection = await rawConnection(gateway.port);
    connection.write(expecting("/v1/orders", json, "Content-Length: 2"));
    assert.match(await connection.received(/100 Continue\r\n\r\n/), /^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    connection.write("{}");
    assert.match(await connection.received(/"version"/), /HTTP\/1\.1 200 OK/);
    connection.write(`${greet}\r\nHost: x\r\n\r\n`);
    assert.match(await connection.received(/Hello/), /Hello/, "the connection stays open");
  });
});

describe("bytes that are no request", () => {
  const smuggled = "POST /v1/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n";

  test("are counted, logged within a bound, and limited by the rate of their client", async () => {
    const lines: Readonly<Record<string, unknown>>[] = [];
    const telemetry = startTelemetry({ service: "gateway", destination: process.stderr });
    await using _telemetry = telemetry;
    const logger = {
      ...telemetry.logger,
      info: (message: string, fields: object = {}) => void lines.push({ message, ...fields }),
    };
    await using gateway = await openGateway(plumbline, {
      upstream,
      telemetry: { ...telemetry, logger },
      settings: { rateLimit: { perClient: { perSecond: 0.001, burst: 20 }, global: { perSecond: 0, burst: 1 } } },
    });
    const statuses: number[] = [];
    for (let i = 0; i < 30; i++) statuses.push((await send(gateway.port, smuggled)).status);
    assert.deepEqual(statuses, [...Array<number>(20).fill(400), ...Array<number>(10).fill(429)]);
    assert.equal((await gateway.fetch("/v1/greetings/a")).status, 429, "requests count against the same rate");
    const { body } = await telemetry.metrics.text();
    assert.match(body, /^http_requests_total\{method="OTHER",code="400"\} 20$/m);
    assert.match(body, /^http_requests_total\{method="OTHER",code="429"\} 10$/m);
    const refused = lines.filter(({ message }) => message === "request refused");
    assert.ok(refused.length >= 10 && refused.length < 20, `${refused.length} lines`);
    assert.equal(refused[0]?.["client"], "127.0.0.1");
  });
});

describe("a page of another site cannot cancel an order:", () => {
  const crossSite = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
  for (const { name, headers, status } of [
    { name: "without body and type", headers: crossSite, status: 415 },
    { name: "by a form", headers: { ...crossSite, "content-type": "application/x-www-form-urlencoded" }, status: 415 },
    { name: "as text", headers: { ...crossSite, "content-type": "text/plain" }, status: 415 },
    { name: "by a form of an old browser", headers: { "content-type": "text/plain" }, status: 415 },
    { name: "without Fetch Metadata", headers: { origin: "https://evil.example" }, status: 415 },
    { name: "from a frame of no origin", headers: { origin: "null" }, status: 415 },
    { name: "but a request with the type of JSON can", headers: { "content-type": "application/json" }, status: 200 },
    {
      name: "but a request with a header of this API can",
      headers: { ...crossSite, "x-request-id": "r" },
      status: 200,
    },
    { name: "but a program without either can", headers: {}, status: 200 },
    { name: "but a page of this gateway can", headers: { "sec-fetch-site": "same-origin" }, status: 200 },
  ] as { name: string; headers: Record<string, string>; status: number }[]) {
    test(name, async () => {
      await using gateway = await openGateway(plumbline, { upstream });
      const fields = Object.entries(headers).map(([key, value]) => `${key}: ${value}\r\n`);
      const bytes = `POST /v1/orders/7:cancel HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n${fields.join("")}\r\n`;
      assert.equal((await send(gateway.port, bytes)).status, status);
    });
  }
});
