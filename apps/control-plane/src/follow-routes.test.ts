import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Channel } from "@plumbline/concurrency";
import { file } from "@plumbline/config";
import type { Address, Resolver } from "@plumbline/rpc/discovery";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually } from "@plumbline/tools-engines";
import { createPublisher } from "./ads/publisher.ts";
import { followRoutes } from "./follow-routes.ts";

const documentOf = (target: string, tls?: object) =>
  JSON.stringify({
    certificates: {
      envoy: { certificateFile: "/run/tls/tls.crt", keyFile: "/run/tls/tls.key", caFile: "/run/tls/ca.crt" },
    },
    listeners: {},
    clusters: { fixed: { endpoints: ["127.0.0.1:1"] }, found: { target, tls } },
    routes: {},
  });

test("nothing is published before each target is resolved, and its changes are followed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "routes-"));
  try {
    const path = join(folder, "routes.yaml");
    writeFileSync(path, documentOf("test:///orders"));
    const answers = new Channel<readonly Address[]>(4);
    const resolver: Resolver = { scheme: "test", watch: (_target, signal) => answers.values({ signal }) };
    const publisher = createPublisher();
    const logged: string[] = [];
    const logger = {
      ...noTelemetry.logger,
      error: (message: string, error: unknown) => void logged.push(`${message}: ${String(error)}`),
    };
    await using routes = await followRoutes(file(path), [resolver], publisher, { logger });
    await assert.rejects(routes.ping());
    assert.equal(publisher.ledger.effective, undefined);

    const version = () => publisher.ledger.effective?.get("endpoints/found")?.version;
    await answers.send([{ host: "127.0.0.1", port: 1 }]);
    const first = await eventually(version, (found) => found !== undefined);
    await routes.ping();
    const two = [
      { host: "127.0.0.1", port: 2 },
      { host: "127.0.0.1", port: 1 },
    ];
    await answers.send(two);
    const second = await eventually(version, (found) => found !== first);
    await answers.send(two.toReversed());

    assert.notEqual(second, undefined);

    // An invalid target is logged once with its key and changes nothing.
    writeFileSync(path, documentOf("nowhere:///orders"));
    await eventually(
      () => logged,
      (lines) => lines.length > 0,
    );
    assert.match(
      logged.join("\n"),
      /^routes not changed: .*clusters\.found\.target.*routes\.yaml:1\): expected "dns:/s,
    );
    assert.equal(logged.length, 1);
    assert.equal(version(), second);

    // So is an invalid part of tls.
    const found = () => publisher.ledger.effective?.get("cluster/found")?.version;
    const before = found();
    const withTls = (id: string) => documentOf("test:///orders", { certificate: "envoy", id });
    writeFileSync(path, withTls("orders"));
    await eventually(
      () => logged.length,
      (count) => count === 2,
    );
    assert.match(logged[1] ?? "", /clusters\.found\.tls\.id.*routes\.yaml:1\): expected a SPIFFE id/s);
    assert.equal(found(), before);
    writeFileSync(path, withTls("spiffe://example.org/orders"));
    await eventually(found, (next) => next !== before);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
