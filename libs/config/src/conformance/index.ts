/**
 * The suite that every source of settings passes, a file as well as a remote store. Its cases are
 * the specification of a source. A source's own test is one call:
 *
 *     conformance({ name: "etcd", isRemote: true, open: async () => ... });
 */
import { describe, test } from "node:test";
import { cases } from "./cases.ts";
import type { Subject } from "./store.ts";

export {
  type CertificateFault,
  certificateFaults,
  type SecuredStore,
  type SecuredSubject,
} from "./certificates.ts";
export type { SourceOptions, Store, Subject } from "./store.ts";

export function conformance(subject: Subject): void {
  void describe(`settings from ${subject.name}`, { skip: subject.skip ?? false }, () => {
    for (const one of cases) {
      if (one.isRemote === true && !subject.isRemote) continue;
      void test(one.name, { timeout: 60_000 }, async () => {
        await using store = await subject.open();
        await one.run(store, subject);
      });
    }
  });
}
