/** The whole system with identity on: two customers, an operator, and what each of them gets. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { OrdersService } from "@plumbline/contracts";
import { connect, createClient } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { certificateFiles, noCredentials, useCredentials } from "@plumbline/tools-stack";
import { type Answer, call, eventually, post } from "../src/http.ts";
import { startReceiver } from "../src/otlp/receiver.ts";
import { root, runStack } from "../src/stack.ts";
import { telemetryTo } from "../src/tier.ts";
import { transports } from "../src/transports.ts";

const items = [{ sku: "tea", quantity: 2 }];
const missing = "01890000-0000-7000-8000-000000000000";

/** Returns what a client sees of a failure, but for the id of its request. */
function seen({ status, json }: Answer, id: string): unknown {
  const { requestId: _, ...problem } = json;
  return JSON.parse(JSON.stringify({ status, problem }).replaceAll(id, "ID"));
}

/** Runs `npm run keys` on a file. Returns what it prints on stdout. */
function keys(file: string, ...args: readonly string[]): string {
  const command = ["-C", "source", join(root, "tools/stack/src/keys/main.ts"), ...args, "--file", file];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

function asText(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? `${part}` : part));
}

for (const transport of transports) {
  test(`with calls over ${transport} each customer has its own orders and labels, and nothing shows a secret (negatives 1, 2, 3, 4, 5, 7, 8, 44, 49)`, {
    timeout: 200_000,
  }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "tokens-"));
    const tokens = new Set<string>();
    /** The header of a client's file, as curl reads it. */
    const as = (name: string) => {
      const authorization = readFileSync(join(folder, name), "utf8").trim().replace("Authorization: ", "");
      tokens.add(authorization.replace("Bearer ", ""));
      return { authorization };
    };
    const keysFile = join(folder, "api-keys.json");
    const newKey = (subject: string) => keys(keysFile, "new", "--subject", subject, "--scopes", "orders:read");
    try {
      const keyOf = { ada: newKey("ada"), bob: newKey("bob") };
      await using receiver = await startReceiver();
      await using running = await runStack({
        transport,
        tokens: folder,
        environment: { ...telemetryTo(receiver), GATEWAY_AUTH_API_KEYS_FILE: keysFile },
      });
      const { base, lines, ports, stack } = running;
      useCredentials(base, noCredentials); // Each request says who sends it.
      const orders = `${base}/v1/orders`;
      const answers: string[] = [];
      const kept = async (asked: Promise<Answer>) => {
        const answer = await asked;
        answers.push(answer.text, JSON.stringify([...answer.headers]));
        return answer;
      };
      const get = (url: string, name: string) => kept(call(url, { headers: as(name) }));
      const idsOf = ({ json }: Answer) => (json["orders"] as { id: string }[]).map(({ id }) => id);

      assert.equal((await call(`${base}/v1/greetings/World`)).status, 200);
      for (const refused of [await post(orders, { items }), await call(orders), await call(`${orders}/${missing}`)]) {
        assert.deepEqual([refused.status, refused.json["reason"]], [401, "TOKEN_MISSING"]);
      }

      for (const sku of ["http://169.254.169.254/", "../../admin", "@evil", "tea\r\nHost: evil", "tea?x=1"]) {
        const { status, json } = await kept(post(orders, { items: [{ sku, quantity: 1 }] }, as("ada")));
        const fields = (json["violations"] as { field: string }[]).map(({ field }) => field);
        assert.deepEqual([status, fields], [400, ["items[0].sku"]], sku);
      }

      const placed = await post(orders, { items }, as("ada"));
      assert.deepEqual([placed.status, placed.json["customerId"]], [200, "ada"], placed.text);
      const id = String(placed.json["id"]);
      await eventually(
        () => get(`${orders}/${id}`, "ada"),
        ({ json }) => json["status"] === "ORDER_STATUS_FULFILLED",
      );
      const label = await get(`${orders}/${id}/label`, "ada");
      assert.deepEqual([label.status, label.headers.get("content-type")], [200, "image/png"]);

      // To Bob an order of Ada is one that does not exist.
      for (const rest of ["", ":watch", "/label"]) {
        const foreign = seen(await get(`${orders}/${id}${rest}`, "bob"), id);
        assert.deepEqual(foreign, seen(await get(`${orders}/${missing}${rest}`, "bob"), missing));
        assert.equal((foreign as { status: number }).status, 404, rest);
      }
      const cancel = (name: string, of: string) => kept(post(`${orders}/${of}:cancel`, {}, as(name)));
      assert.deepEqual(seen(await cancel("bob", id), id), seen(await cancel("bob", missing), missing));
      assert.equal((await cancel("ada", id)).json["reason"], "ORDER_ALREADY_FULFILLED");
      assert.deepEqual([idsOf(await get(orders, "ada")), idsOf(await get(orders, "bob"))], [[id], []]);
      for (const refused of [
        await get(`${orders}?customerId=ada`, "bob"),
        await post(orders, { customerId: "ada", items }, as("bob")),
      ]) {
        assert.deepEqual([refused.status, refused.json["reason"]], [403, "CUSTOMER_MISMATCH"]);
      }
      const key = { "idempotency-key": "once" };
      const ofAda = await post(orders, { items }, { ...as("ada"), ...key });
      const ofBob = await post(orders, { items }, { ...as("bob"), ...key });
      assert.notEqual(ofAda.json["id"], ofBob.json["id"]);
      assert.equal(ofBob.json["customerId"], "bob");

      // A service is for the gateway alone.
      const { ca, ...own } = certificateFiles(stack.certificates ?? "", "worker");
      const tls = {
        ca: readFileSync(ca),
        certificate: readFileSync(own.certificate),
        key: readFileSync(own.key),
      };
      await using channel = await connect(`127.0.0.1:${ports.orders}`, noTelemetry, { transport, tls });
      const cancelled = createClient(OrdersService, channel).cancelOrder({ orderId: String(ofBob.json["id"]) });
      await assert.rejects(cancelled, { code: "permission_denied", reason: "CALLER_NOT_ALLOWED" });

      // An operator has the orders of all.
      assert.equal((await get(`${orders}/${id}`, "operator")).status, 200);
      assert.equal((await get(`${orders}/${id}/label`, "operator")).status, 200);
      assert.ok(idsOf(await get(`${orders}?customerId=ada`, "operator")).includes(id));

      // An API key is its subject, until it is revoked.
      const byKey = (key: string, of: string) =>
        kept(call(`${orders}/${of}`, { headers: { authorization: `Bearer ${key}` } }));
      assert.equal((await byKey(keyOf.ada, id)).status, 200);
      assert.deepEqual(seen(await byKey(keyOf.bob, id), id), seen(await get(`${orders}/${missing}`, "bob"), missing));
      const unscoped = await kept(post(orders, { items }, { authorization: `Bearer ${keyOf.ada}` }));
      assert.deepEqual([unscoped.status, unscoped.json["reason"]], [403, "INSUFFICIENT_SCOPE"]);
      keys(keysFile, "revoke", keyOf.ada.slice(4, 15));
      await eventually(
        () => byKey(keyOf.ada, id),
        ({ status, json }) => status === 401 && json["reason"] === "TOKEN_INVALID",
      );
      for (const key of Object.values(keyOf)) tokens.add(key);

      // The next key signs, and then the issuer comes back with other keys.
      assert.equal((await call(`http://127.0.0.1:${ports.issuer}/rotate`, { method: "POST" })).status, 200);
      assert.equal((await get(`${orders}/${id}`, "ada")).status, 200);
      const before = as("ada").authorization;
      await stack.restart({ service: "issuer", name: "issuer" });
      assert.notEqual(as("ada").authorization, before);
      assert.equal((await get(`${orders}/${id}`, "ada")).status, 200);

      // A token that is refused is a secret too: another gateway may take it.
      const forged = `${as("bob").authorization.slice(0, -6)}AAAAAA`;
      const refused = await kept(call(orders, { headers: { authorization: forged } }));
      assert.deepEqual([refused.status, refused.json["reason"]], [401, "TOKEN_INVALID"]);
      await stack.stop();
      const written: Readonly<Record<string, string>> = {
        output: lines.map(({ line }) => line).join("\n"),
        spans: asText(receiver.spans),
        logs: asText(receiver.logs),
        answers: answers.join("\n"),
      };
      const passwords = Object.values(stack.databaseUrls).flatMap((url) => new URL(url).password || []);
      for (const [where, text] of Object.entries(written)) {
        assert.match(text, /CUSTOMER_MISMATCH|PlaceOrder/, `${where} are those of the requests`);
        // Each part of a token is base64url of JSON; its signature alone would be enough to tell.
        assert.doesNotMatch(
          text,
          /eyJ[\w-]{8,}|plk_[0-9A-Za-z]{11}_|PRIVATE KEY|Bearer (ey|plk)/,
          `a token or a key is in the ${where}`,
        );
        for (const token of tokens) assert.ok(!text.includes(token.slice(-40)), `a token is in the ${where}`);
        for (const password of passwords) assert.ok(!text.includes(password), `a password is in the ${where}`);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
