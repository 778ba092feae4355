import { randomBytes } from "node:crypto";
import { sleep } from "@plumbline/concurrency";
import { Client } from "pg";
import { base, call } from "../api.ts";
import type { Attack } from "../attack.ts";
import { open, Tally } from "../sockets.ts";

export const foreignTraces: Attack = {
  name: "trace context of a stranger",
  right: "with a sample ratio of 0 no service exports a span",
  async run(target, full) {
    const count = full ? 400 : 60;
    const before = target.exports();
    const statuses = new Tally();
    for (let index = 0; index < count; index++) {
      const trace = index % 2 === 0 ? randomBytes(16).toString("hex") : "ab".repeat(16);
      const headers = {
        traceparent: `00-${trace}-${randomBytes(8).toString("hex")}-01`,
        tracestate: `evil=${"x".repeat(200)}`,
      };
      statuses.add((await call(`${base(target)}/v1/greetings/x`, { headers })).status);
    }
    // Spans are exported each second.
    await sleep(2_500);
    const exported = target.exports() - before;
    return {
      sent: count,
      seen: `${statuses}; ${exported} exports`,
      misses: [
        ...(exported === 0 ? [] : [`${exported} batches of spans were exported`]),
        ...(statuses.of(200) === count ? [] : [`they got ${statuses}`]),
      ],
    };
  },
};

const tricks: readonly ((index: number) => string)[] = [
  (index) => `X-Forwarded-For: 10.0.${index >> 8}.${index & 255}\r\n`,
  (index) => `Forwarded: for=10.0.${index >> 8}.${index & 255}\r\n`,
  (index) => `X-Real-IP: 10.0.${index >> 8}.${index & 255}\r\nTrue-Client-IP: 10.1.0.${index & 255}\r\n`,
  (index) => `X-Request-Id: r${index}\r\n`,
];

export const manyNames: Attack = {
  name: "one address under many names",
  right: "no header gets more than the burst of 1,000 and 500 a second",
  async run(target, full) {
    const count = 2_500;
    const misses: string[] = [];
    const seen: string[] = [];
    const used = full ? tricks : tricks.slice(0, 1);
    for (const [place, trick] of used.entries()) {
      const { passed, seconds } = await burst(target.ports.gateway, count, trick, `127.0.9.${place + 1}`);
      const allowed = Math.round(1_000 + 500 * seconds) + 20;
      seen.push(`${passed} of ${count}`);
      if (passed > allowed)
        misses.push(`${passed} of ${count} passed with ${trick(1).trim()}, at most ${allowed} wanted`);
    }
    return { sent: count * used.length, seen: `passed ${seen.join(", ")}`, misses };
  },
};

/** Sends requests on one connection as fast as they go, and counts those that were not limited. */
async function burst(port: number, count: number, header: (index: number) => string, address: string) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = open(port, address);
  const began = performance.now();
  let text = "";
  let answered = 0;
  let limited = 0;
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    for (const [, status] of text.matchAll(/HTTP\/1\.1 (\d{3})/g)) {
      answered += 1;
      if (status === "429") limited += 1;
    }
    text = text.slice(text.lastIndexOf("HTTP/1.1") + 8).slice(-20);
    if (answered >= count) socket.destroy();
  });
  socket.on("close", () => resolve());
  const timer = setTimeout(() => socket.destroy(), 60_000);
  for (let index = 0; index < count; index++) {
    socket.write(`GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\n${header(index)}\r\n`);
  }
  await promise;
  clearTimeout(timer);
  return { passed: answered - limited, seconds: (performance.now() - began) / 1_000 };
}

export const localDatabase: Attack = {
  name: "another user of the machine at Postgres",
  right: "no role gets in without its password",
  async run(target) {
    const results = new Tally();
    const misses: string[] = [];
    const roles = ["postgres", "orders", "worker"];
    for (const role of roles) {
      for (const password of ["", role, "postgres"]) {
        const client = new Client({
          host: "127.0.0.1",
          port: target.ports.postgres,
          user: role,
          database: "postgres",
          password: () => password,
        });
        try {
          await client.connect();
          misses.push(`${role} is in with the password "${password}"`);
          results.add("in");
        } catch (error) {
          results.add((error as { readonly code?: string }).code ?? "refused");
        } finally {
          await client.end().catch(() => {});
        }
      }
    }
    return { sent: roles.length * 3, seen: `${results}`, misses };
  },
};
