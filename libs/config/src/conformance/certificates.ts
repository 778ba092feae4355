import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConfigError } from "../config-error.ts";
import { loadConfig } from "../load-config.ts";
import type { Source } from "../source.ts";
import type { StaleDocument } from "../sources/document.ts";
import { schema, watching } from "./watching.ts";

/** The fault of the certificates between a source and its store. */
export type CertificateFault =
  | "an expired certificate of the server"
  | "a certificate of another host"
  | "another authority at the client"
  | "no client certificate"
  | "a client certificate of another authority";

/** One document of a store behind TLS, which asks for client certificates. */
export interface SecuredStore extends AsyncDisposable {
  /** A text that every problem of the source must have: the endpoint and the key. */
  readonly origin: string;
  /** Returns a source that asks for its certificates at each connection. */
  source(onStale?: (stale: StaleDocument) => void): Source;
  put(text: string): Promise<void>;
  /** Brings a fault about, or repairs it, and closes the present connections. */
  set(fault: CertificateFault | undefined): void;
}

export interface SecuredSubject {
  /** The name in the titles of the tests, such as "etcd". */
  readonly name: string;
  /** The reason why its engine is not there. Undefined if it is. */
  readonly skip?: string | undefined;
  readonly open: () => Promise<SecuredStore>;
}

const faults: readonly (readonly [CertificateFault, RegExp])[] = [
  ["an expired certificate of the server", /certificate has expired/],
  ["a certificate of another host", /certificate.*(127\.0\.0\.1|elsewhere\.test)/],
  ["another authority at the client", /authority that is not trusted here/],
  ["no client certificate", /client(?:'s)? certificate/],
  ["a client certificate of another authority", /client's certificate/],
];
/** The longest time from a repaired certificate to the change that was made meanwhile. */
const backMs = 10_000;

/** Tests that a source says which certificate is wrong, and goes on once it is replaced. */
export function certificateFaults({ name, skip, open }: SecuredSubject): void {
  void describe(`certificates of settings from ${name}`, { skip: skip ?? false, concurrency: true }, () => {
    for (const [fault, words] of faults) {
      void test(`with ${fault} a start ends with a problem that says so`, { timeout: 60_000 }, async () => {
        await using store = await open();
        await store.put("rate: 1");
        store.set(fault);
        await assert.rejects(loadConfig(schema, [store.source()]), (error) => {
          assert.ok(error instanceof ConfigError);
          assert.ok(error.message.includes(store.origin), `${store.origin} is not in: ${error.message}`);
          assert.match(error.message, words);
          return true;
        });
      });

      void test(`after ${fault} the last settings stay, and a change is seen once it is repaired`, {
        timeout: 60_000,
      }, async () => {
        await using store = await open();
        await store.put("rate: 1");
        const reasons = Promise.withResolvers<string>();
        let outages = 0;
        const source = store.source(({ error }) => {
          outages++;
          reasons.resolve(String(error));
        });
        await using updates = watching(source);
        await updates.until(1);
        store.set(fault);
        assert.match(await reasons.promise, words);
        await store.put("rate: 2");
        assert.equal(updates.rate, 1);
        store.set(undefined);
        await updates.until(2, backMs);
        assert.equal(updates.seen.length, 2, "an outage is no update");
        assert.equal(outages, 1, "an outage is reported once");
      });
    }
  });
}
