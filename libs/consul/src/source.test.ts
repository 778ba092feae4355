import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test, { after } from "node:test";
import { ConfigError, loadConfig, watchConfig } from "@plumbline/config";
import { certificateFaults, conformance, type SecuredStore, type Store } from "@plumbline/config/conformance";
import type { ClientTls } from "@plumbline/rpc";
import { type Certificates, testCa, testFaults } from "@plumbline/rpc/conformance";
import {
  type ConsulAgent,
  eventually,
  startTemporaryConsul,
  tlsFrontOf,
  whyNoConsulAgent,
} from "@plumbline/tools-engines";
import { z } from "zod";
import { cuttable } from "../test/cuttable.ts";
import { frontOf } from "../test/front.ts";
import { type Consul, openConsul } from "./consul.ts";
import { deleteKey, getKey, putKey } from "./keys.ts";
import { consulSource } from "./source.ts";

const token = randomUUID();
let agent: Promise<ConsulAgent> | undefined;
after(async () => await (await agent)?.[Symbol.asyncDispose]());

async function open(): Promise<Store> {
  agent ??= startTemporaryConsul({ token });
  const running = await agent;
  const { url } = running;
  await using opened = new AsyncDisposableStack();
  const direct = opened.use(openConsul({ url, token: () => token }));
  const front = opened.use(await cuttable(url));
  /** The clients of the sources. A client keeps an idle connection until it is closed. */
  const clients: Consul[] = [];
  const key = `plumbline/config/${randomUUID()}.yaml`;
  const release = async () =>
    void (await Promise.all(clients.splice(0).map((client) => client[Symbol.asyncDispose]())));
  opened.defer(release);
  const owned = opened.move();
  return {
    origin: `${front.url}/v1/kv/${key}`,
    source(options) {
      // With TLS and a token, as in production.
      const client = openConsul({ url: front.url, token: () => token, tls: front.tls });
      clients.push(client);
      return consulSource(client, key, options);
    },
    release,
    put: (text) => putKey(direct, key, text),
    delete: () => deleteKey(direct, key),
    cut: () => front.cut(),
    mute: () => front.mute(),
    restore: () => front.restore(),
    // An agent without a data folder that is started again begins its index again.
    async loseHistory() {
      const value = await getKey(direct, key);
      await running.kill();
      await running.start();
      await putKey(direct, key, value ?? "");
    },
    connections: () => front.connections(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const skip = whyNoConsulAgent();
conformance({ name: "Consul", skip, isRemote: true, open });

/** Opens a document that sources reach over TLS, with a client certificate. */
async function openSecured(): Promise<SecuredStore> {
  agent ??= startTemporaryConsul({ token });
  const { url } = await agent;
  const key = `plumbline/config/${randomUUID()}.yaml`;
  await using opened = new AsyncDisposableStack();
  const direct = opened.use(openConsul({ url, token: () => token }));
  let certificates: Certificates = testFaults.none;
  const front = opened.use(await tlsFrontOf(url, certificates.server, { clientCa: testCa }));
  const tls = (): ClientTls => certificates.client;
  const client = opened.use(openConsul({ url: `https://${front.host}`, token: () => token, tls }));
  const owned = opened.move();
  return {
    origin: front.host,
    source: (onStale) => consulSource(client, key, { onStale }),
    put: async (text) => putKey(direct, key, text),
    set(fault) {
      certificates = testFaults[fault ?? "none"];
      front.present(certificates.server);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

certificateFaults({ name: "Consul", skip: skip, open: openSecured });

test("a token that may not read the key is an error that says so", { skip: skip ?? false }, async () => {
  await using own = await startTemporaryConsul({ token });
  await using consul = openConsul({ url: own.url });
  const from = performance.now();
  await assert.rejects(loadConfig(z.object({}), [consulSource(consul, "a/orders.yaml")]), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, /\/v1\/kv\/a\/orders\.yaml\): expected a token that may read the key \(GET .* 403/);
    return true;
  });
  assert.ok(performance.now() - from < 1_000, "without waiting for the store");
});

test("while it is watched, a change is read once, so that no read can be older", { skip: skip ?? false }, async () => {
  await using own = await startTemporaryConsul();
  await using front = await frontOf(own.url);
  await using consul = openConsul({ url: front.url });
  await using direct = openConsul({ url: own.url });
  const key = "plumbline/config/orders.yaml";
  await putKey(direct, key, "rate: 0");
  const stop = new AbortController();
  const unwatched: (string | undefined)[] = [];
  for await (const { config } of watchConfig(z.object({ rate: z.int() }), [consulSource(consul, key)], stop.signal)) {
    const rate = config?.rate ?? 0;
    if (rate === 3) stop.abort();
    else await putKey(direct, key, `rate: ${rate + 1}`);
    // From the second change on the watch has begun.
    if (rate === 1) {
      front.answer = ({ url }) => {
        if (!url?.includes("index=")) unwatched.push(url);
        return false;
      };
    }
  }
  assert.deepEqual(unwatched, []);
});

test("after a wrong token the last settings stay, and a change is seen once it is right", {
  skip: skip ?? false,
}, async () => {
  await using own = await startTemporaryConsul({ token });
  await using direct = openConsul({ url: own.url, token: () => token });
  let current = token;
  await using consul = openConsul({ url: own.url, token: () => current });
  const key = "plumbline/config/orders.yaml";
  await putKey(direct, key, "rate: 1");
  const stop = new AbortController();
  const seen: string[] = [];
  const watching = (async () => {
    const source = consulSource(consul, key, { waitMs: 500 });
    for await (const { config, error } of watchConfig(z.object({ rate: z.int() }), [source], stop.signal)) {
      seen.push(config === undefined ? error.message : `${config.rate}`);
    }
  })();
  const until = (matches: RegExp) =>
    eventually(
      () => seen.at(-1) ?? "",
      (last) => matches.test(last),
      20_000,
    );
  await until(/^1$/);
  current = randomUUID();
  await until(/expected a token that may read the key/);
  await putKey(direct, key, "rate: 2");
  const wrong = current;
  current = token;
  await until(/^2$/);
  assert.equal(seen.length, 3, "the refusal is reported once");
  assert.ok(!seen.join().includes(wrong));
  stop.abort();
  await watching;
});
