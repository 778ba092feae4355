import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { createServer } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));

function start(environment: Record<string, string>): {
  child: ChildProcess;
  says: (pattern: RegExp) => Promise<string>;
} {
  const child = spawn(process.execPath, ["-C", "source", main], { env: { ...process.env, ...environment } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk));
  return {
    child,
    says: async (pattern) => {
      for (const limit = AbortSignal.timeout(10_000); ; ) {
        const found = pattern.exec(output);
        if (found !== null) return found[0];
        await Promise.race([
          once(child.stdout, "data", { signal: limit }),
          once(child.stderr, "data", { signal: limit }),
        ]);
      }
    },
  };
}

test("on SIGTERM the process finishes the quote in progress and exits with 0", async () => {
  const { child, says } = start({ SUPPLIER_PORT: "0", SUPPLIER_LATENCY_MS: "300" });
  const url = await says(/http:\S+/);
  // The server sends 100 when it has read the request: from then on the quote is in progress.
  const quote = request(url, { headers: { expect: "100-continue" } });
  const answered = once(quote, "response");
  quote.end();
  await once(quote, "continue");
  child.kill("SIGTERM");
  const [response] = (await answered) as [IncomingMessage];
  assert.equal(response.statusCode, 200);
  response.resume();
  const [code] = await once(child, "exit");
  assert.equal(code, 0);
});

test("a port in use is one line that says what to do, and exit code 1", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as { port: number };
  const { child, says } = start({ SUPPLIER_PORT: String(port) });
  const [code] = await once(child, "exit");
  assert.equal(code, 1);
  await says(new RegExp(`port ${port} is taken: end the other process or set SUPPLIER_PORT`));
  other.close();
});

test("an invalid setting is refused at the start", async () => {
  const { child, says } = start({ SUPPLIER_PORT: "tea" });
  const [code] = await once(child, "exit");
  assert.equal(code, 1);
  await says(/SUPPLIER_PORT must be a number, found "tea"/);
});
