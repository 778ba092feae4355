import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));

function start(environment: Record<string, string>) {
  const child = spawn(process.execPath, [main], { env: { ...process.env, ...environment } });
  const out = { text: "" };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (out.text += chunk));
  return { child, out };
}

test("the process answers until SIGTERM, and exits with 0", async () => {
  const { child, out } = start({ ISSUER_PORT: "0" });
  const limit = AbortSignal.timeout(30_000);
  while (!/http:\S+/.test(out.text)) await once(child.stdout, "data", { signal: limit });
  const url = /http:\S+/.exec(out.text)?.[0];
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  child.kill("SIGTERM");
  const [code] = await once(child, "close", { signal: limit });
  assert.equal(code, 0);
});

test("a port in use is one line that says what to do, and exit code 1", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as { port: number };
  const { child, out } = start({ ISSUER_PORT: String(port) });
  const [code] = await once(child, "close");
  assert.deepEqual(
    [code, out.text.trim()],
    [1, `issuer: port ${port} is taken: end the other process or set ISSUER_PORT`],
  );
  other.close();
});

for (const [name, value] of [
  ["ISSUER_PORT", "tea"],
  ["ISSUER_TOKEN_SECONDS", "59"],
  ["ISSUER_TOKEN_SECONDS", "1e9"],
] as const) {
  test(`${name}=${value} is refused at the start, by name`, async () => {
    const { child, out } = start({ [name]: value });
    const [code] = await once(child, "close");
    assert.equal(code, 1);
    assert.match(out.text, new RegExp(`^issuer: ${name}: expected \\d+ to \\d+, found "${value}"\n$`));
  });
}
