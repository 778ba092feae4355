/** A flood of forged tokens: what it takes from the memory and the processor of the gateway. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { openKeySource, TokenVerifier } from "@plumbline/auth";
import { openGateway } from "./support/gateway.ts";
import { MemoryUpstream } from "./support/memory-upstream.ts";
import { plumbline } from "./support/orders.ts";
import { startTokenIssuer } from "./support/token-issuer.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** A million takes some minutes; the bounds are the same for fewer. */
const total = Number(process.env["FORGED_TOKENS"] ?? 20_000);
const perRound = 500;
const burst = 50;

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

test("forged tokens are not kept, and cost little more than none (negative 35)", {
  timeout: 1_800_000,
}, async (context) => {
  await using issuer = await startTokenIssuer();
  await using keys = await openKeySource({ issuer: issuer.url });
  let lookUps = 0;
  const counted = {
    issuer: keys.issuer,
    ageMs: 0,
    isCurrent: keys.isCurrent.bind(keys),
    find: (...sought: Parameters<typeof keys.find>) => {
      lookUps += 1;
      return keys.find(...sought);
    },
    [Symbol.asyncDispose]: async () => {},
  };
  const verifier = new TokenVerifier({ keys: counted, audience: "plumbline" });
  const auth = { issuer: issuer.url, verifier, denied: { watch: () => ({ [Symbol.dispose]() {} }) } };
  const upstream = new MemoryUpstream(plumbline, { GetOrder: () => ({ id: "7", version: "1" }) });
  const settings = { auth: { newTokens: { perSecond: 0.001, burst } } };
  await using gateway = await openGateway(plumbline, { upstream, auth, settings });
  const forged = await issuer.token("eve", "orders:read", { forged: true });
  const socket = connect({ port: gateway.port, host: "127.0.0.1" });
  using _socket = { [Symbol.dispose]: () => void socket.destroy() };
  socket.setEncoding("latin1");
  await once(socket, "connect");

  let sent = 0;
  const statuses = new Map<string, number>();
  /** Sends a round in one write, and returns the processor's time for it. */
  const round = async (header: () => string): Promise<number> => {
    let requests = "";
    for (let at = 0; at < perRound; at++) requests += `GET /v1/orders/7 HTTP/1.1\r\nHost: x\r\n${header()}\r\n`;
    const before = process.cpuUsage();
    socket.write(requests);
    for (let answered = 0, rest = ""; answered < perRound; ) {
      const [chunk] = (await once(socket, "data", { signal: AbortSignal.timeout(60_000) })) as [string];
      const text = rest + chunk;
      const found = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)];
      for (const [, status = ""] of found) statuses.set(status, (statuses.get(status) ?? 0) + 1);
      answered += found.length;
      // A status line may be cut in two.
      rest = text.slice(-12).replace(/HTTP\/1\.1 \d{3} .*/s, "");
    }
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  const anotherForged = (): string => `Authorization: Bearer ${forged}${(sent++).toString(36)}\r\n`;
  const none = (): string => "";

  // Without a forged one first: what the process loads once is no part of the comparison.
  for (let warm = 0; warm < 4; warm++) {
    await round(none);
    await round(anotherForged);
  }
  assert.deepEqual([...statuses.keys()].toSorted(), ["401", "429"]);
  collectGarbage();
  const heapBefore = process.memoryUsage().heapUsed;
  const ratios: number[] = [];
  for (let rounds = 0; rounds < total / perRound; rounds++) {
    const [first, second] = rounds % 2 === 0 ? [none, anotherForged] : [anotherForged, none];
    const [one, other] = [await round(first), await round(second)];
    ratios.push(rounds % 2 === 0 ? other / one : one / other);
  }
  collectGarbage();
  const grown = (process.memoryUsage().heapUsed - heapBefore) / 1_048_576;

  context.diagnostic(`${sent} forged tokens: processor ${median(ratios).toFixed(2)} of that without a token`);
  context.diagnostic(`heap ${grown.toFixed(2)} MiB more, ${lookUps} keys looked up, ${verifier.cachedTokens} cached`);
  assert.equal(verifier.cachedTokens, 0);
  // Only the burst was looked at: all others are refused before any work with keys.
  assert.ok(lookUps >= burst - 1 && lookUps <= burst + 1, `${lookUps} keys were looked up`);
  assert.ok(statuses.get("429") !== undefined && (statuses.get("429") ?? 0) >= sent - burst - 1);
  assert.ok(grown < 2, `the heap has ${grown} MiB more after ${sent} forged tokens`);
  assert.ok(median(ratios) < 1.5, `a forged token costs ${median(ratios)} of a request without one`);
});
