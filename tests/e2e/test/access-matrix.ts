/** Every RPC in each state of a token, against a gateway whose issuer is for development. */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import test from "node:test";
import { sleep } from "@plumbline/concurrency";
import { descriptorSet } from "@plumbline/contracts";
import { type AccessRule, readAccessRules } from "@plumbline/contracts/access";
import { table, tokenOf } from "@plumbline/tools-stack";
import { type Binding, bindingsOf, readDescriptors } from "@plumbline/transcoding";

const scopes = ["orders:read", "orders:write"];
/** The longest wait for a place among the tokens that a gateway has not seen before. */
const patienceMs = 30_000;
const requestMs = 15_000;
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

/** Returns the texts of the header `Authorization` by the states that a token can be in. */
async function statesOf(gateway: string): Promise<Readonly<Record<string, (needed: readonly string[]) => string>>> {
  const valid = await tokenOf(gateway, "ada", scopes);
  const single = new Map<string, string>();
  for (const scope of scopes) single.set(scope, await tokenOf(gateway, "ada", [scope]));
  const withoutScopes = await tokenOf(gateway, "ada", []);
  const bob = await tokenOf(gateway, "bob", scopes);
  const [head = "", body = "", signature = ""] = valid.split(".");
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const bodyAs = (change: object) => encoded({ ...JSON.parse(Buffer.from(body, "base64url").toString()), ...change });
  const signed = (input: string) =>
    `${input}.${sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  const fixed = (text: string) => () => text;
  return {
    "no token": fixed(""),
    "another scheme": fixed(`Basic ${btoa("ada:ada")}`),
    "no JWT": fixed("Bearer ada"),
    unsigned: fixed(`Bearer ${encoded({ alg: "none", typ: "at+jwt" })}.${body}.`),
    "of another key": fixed(`Bearer ${signed(`${head}.${body}`)}`),
    "cut short": fixed(`Bearer ${head}.${body}.${signature.slice(0, -4)}`),
    changed: fixed(`Bearer ${head}.${bodyAs({ scope: "orders:operate" })}.${signature}`),
    "an ID token": fixed(`Bearer ${signed(`${encoded({ alg: "ES256", typ: "JWT" })}.${body}`)}`),
    "one of two": fixed(`Bearer ${valid}, Bearer ${bob}`),
    "without scopes": fixed(`Bearer ${withoutScopes}`),
    "with other scopes": (needed) => `Bearer ${single.get(scopes.find((scope) => !needed.includes(scope)) ?? "")}`,
    valid: fixed(`Bearer ${valid}`),
  };
}

/** Returns what a caller must get: "called", or the status of the refusal. */
function expected(rule: AccessRule, state: string): string {
  if (rule.kind === "public" || state === "valid") return "called";
  return state === "without scopes" || state === "with other scopes" ? "403" : "401";
}

/** Returns a request that fits a binding, and that names no object that exists. */
function requestOf({ httpMethod, template }: Binding): readonly [path: string, init: RequestInit] {
  const path = template.text.replace(/\{[^}]+\}/g, "x");
  const method = httpMethod === "*" ? "GET" : httpMethod;
  if (method === "GET") return [path, { method }];
  return [path, { method, body: "{}", headers: { "content-type": "application/json" } }];
}

/** Returns what a request got. A gateway reads only so many new tokens of one address at once. */
async function outcome(url: string, init: RequestInit, authorization: string): Promise<string> {
  const headers = new Headers(init.headers);
  if (authorization !== "") headers.set("authorization", authorization);
  const until = performance.now() + patienceMs;
  for (;;) {
    const response = await fetch(url, { ...init, headers, signal: AbortSignal.timeout(requestMs) });
    const text = await response.text();
    if (response.status === 429 && performance.now() < until) {
      await sleep(500);
      continue;
    }
    assert.ok(response.status < 500 && response.status !== 429, `${url}: ${response.status} ${text}`);
    const isRefused = response.status === 401 || response.status === 403;
    assert.equal(response.headers.has("www-authenticate"), isRefused, url);
    return isRefused ? String(response.status) : "called";
  }
}

/**
 * Tests that each RPC of the protos admits the callers of its rule alone, over REST. It needs only
 * the address of the gateway.
 */
export function accessMatrix(base: () => string): void {
  test("every RPC admits the callers of its rule, in each state of a token", async (context) => {
    const registry = readDescriptors(descriptorSet);
    const { rules } = readAccessRules(registry);
    const states = await statesOf(base());
    const rows: string[][] = [];
    for (const binding of bindingsOf(registry)) {
      const rule = rules.get(binding.rpcPath);
      assert.ok(rule, binding.rpcPath);
      const [path, init] = requestOf(binding);
      const row = [`${init.method} ${path}`];
      for (const [state, authorizationFor] of Object.entries(states)) {
        const needed = rule.kind === "scopes" ? rule.scopes : [];
        const found = await outcome(base() + path, init, authorizationFor(needed));
        assert.equal(found, expected(rule, state), `${row[0]} with a token that is ${state}`);
        row.push(found);
      }
      rows.push(row);
    }
    for (const line of table(["", ...Object.keys(states)], rows).split("\n")) context.diagnostic(line);
  });
}
