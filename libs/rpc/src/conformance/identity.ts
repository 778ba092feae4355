import assert from "node:assert/strict";
import { encodePrincipal, type Principal, principalName } from "@plumbline/auth";
import type { AccessTable, MethodAccess } from "../interceptors/access.ts";
import { type Case, kinds, onceEach } from "./test-context.ts";

const hour = 3_600_000;

function principal(changes: Partial<Principal> = {}): Principal {
  const now = Date.now();
  return { subject: "Ада", client: "cli", scopes: ["a:read"], issuedMs: now, expiresMs: now + hour, ...changes };
}

const carried = (who: Principal) => ({ [principalName]: encodePrincipal(who) });

const names = ["Unary", "ClientStream", "ServerStream", "BidiStream"];

/** Returns the same access for each method. */
function tableOf(access: MethodAccess): AccessTable {
  return new Map(names.map((name) => [`/plumbline.rpc.Conformance/${name}`, access]));
}

const scoped = tableOf({ kind: "scopes", scopes: ["a:read"] });
const server = { principalPeers: "loopback" };

export const identityCases: readonly Case[] = [
  {
    name: "a handler of each kind knows the principal that a believed peer names",
    run: async (context) => {
      const seen: (string | undefined)[] = [];
      const { client } = await context.open(
        {
          unary: async (_request, call) => String(seen.push(call.principal?.subject)),
          clientStream: async (_requests, call) => String(seen.push(call.principal?.subject)),
          async *serverStream(_request, call) {
            yield String(seen.push(call.principal?.subject));
          },
          async *bidiStream(_requests, call) {
            yield String(seen.push(call.principal?.subject));
          },
        },
        { server, access: scoped },
      );
      const each = onceEach(client);
      for (const kind of kinds) await each[kind]({ metadata: carried(principal()) });
      assert.deepEqual(seen, ["Ада", "Ада", "Ада", "Ада"]);
      for (const kind of kinds) await assert.rejects(each[kind]({}), { reason: "PRINCIPAL_MISSING" });
      assert.equal(seen.length, 4);
    },
  },
  {
    name: "a peer that is not believed has no principal, whatever it names",
    run: async (context) => {
      const { client } = await context.open({}, { server: { principalPeers: "192.0.2.0/24" }, access: scoped });
      await assert.rejects(client.unary("", { metadata: carried(principal()) }), {
        code: "unauthenticated",
        reason: "PRINCIPAL_MISSING",
      });
    },
  },
  {
    name: "bytes that are no principal are none (negative 55)",
    run: async (context) => {
      const { client } = await context.open({}, { server, access: scoped });
      const right = principal();
      for (const wrong of [
        "",
        "ada",
        "[]",
        "null",
        JSON.stringify({ ...right, subject: "" }),
        JSON.stringify({ ...right, subject: 7 }),
        JSON.stringify({ ...right, scopes: "a:read" }),
        JSON.stringify({ ...right, scopes: [7] }),
        JSON.stringify({ ...right, expiresMs: undefined }),
        JSON.stringify({ ...right }).replace(/"expiresMs":\d+/, '"expiresMs":1e400'),
        JSON.stringify({ ...right, client: "c".repeat(8_192) }),
      ]) {
        const metadata = { [principalName]: Buffer.from(wrong) };
        await assert.rejects(client.unary("", { metadata }), { reason: "PRINCIPAL_MISSING" }, wrong.slice(0, 80));
      }
      await client.unary("", { metadata: carried(right) });
    },
  },
  {
    name: "a principal without the scope, or whose token has expired, is refused (negative 55)",
    run: async (context) => {
      let calls = 0;
      const { client } = await context.open({ unary: async () => String(calls++) }, { server, access: scoped });
      const call = (changes: Partial<Principal>) => client.unary("", { metadata: carried(principal(changes)) });
      for (const scopes of [[], ["a:readx"], ["a"]]) {
        await assert.rejects(call({ scopes }), { code: "permission_denied", reason: "INSUFFICIENT_SCOPE" });
      }
      await assert.rejects(call({ expiresMs: Date.now() - 31_000 }), {
        code: "unauthenticated",
        reason: "TOKEN_EXPIRED",
      });
      assert.equal(calls, 0);
      await call({ scopes: ["b:write", "a:read"] });
    },
  },
  {
    name: "public methods need no principal, internal ones a believed peer, and those without a rule have no callers (negative 39)",
    run: async (context) => {
      const status = async (access: AccessTable, peers: string) => {
        const { client } = await context.open({}, { server: { principalPeers: peers }, access });
        return await client.unary("x").catch(({ code, reason }: Record<string, string>) => `${code} ${reason}`);
      };
      const stranger = "192.0.2.1";
      const refused = "permission_denied CALLER_NOT_ALLOWED";
      assert.equal(await status(tableOf({ kind: "public" }), stranger), "x");
      assert.equal(await status(tableOf({ kind: "internal" }), "loopback"), "x");
      assert.equal(await status(tableOf({ kind: "internal" }), stranger), refused);
      assert.equal(await status(new Map(), "loopback"), refused);
    },
  },
  {
    name: "while no peer is believed everybody may call, and no principal is known",
    run: async (context) => {
      const { client } = await context.open({ unary: async (_request, call) => String(call.principal) });
      assert.equal(await client.unary("", { metadata: carried(principal()) }), "undefined");
    },
  },
  {
    name: "a server that believes peers does not start without access rules",
    run: async (context) => {
      await assert.rejects(context.open({}, { server }), /principalPeers and callers need the access rules/);
    },
  },
];
