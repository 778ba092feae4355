import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { createLedger, type Ledger } from "../src/ledger.ts";
import type { DeltaRequest, DeltaResponse, SotwRequest, SotwResponse } from "../src/messages.ts";
import { keyOf, type Reference, type Resource, resource, type Snapshot, snapshot } from "../src/snapshot.ts";
import { type AdsStream, openStream } from "../src/stream.ts";
import { resourceTypes } from "../src/types.ts";
import { deltaClient, isBad, type ModelClient, sotwClient } from "./model-client.ts";

const encode = (text: string) => new TextEncoder().encode(text);
/** A wait for answers that ends, and one that never does. */
const holds = [5_000, Number.POSITIVE_INFINITY];
const timings = (holdMs: number) => ({ holdMs, lingerMs: 1, settleMs: 10 });

const content = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("1", "2", "3") },
  { weight: 1, arbitrary: fc.constantFrom("bad 1", "bad 2") },
);
const clusterName = fc.constantFrom("a", "b", "c");
const routeName = fc.constantFrom("r", "s");
const secretName = fc.constantFrom("x", "y");

/** Snapshots of clusters, routes that refer to some of them, listeners of those, and secrets. */
const snapshots: fc.Arbitrary<Snapshot> = fc
  .record({
    clusters: fc.dictionary(
      clusterName,
      fc.record({ text: content, endpoints: content, byEds: fc.boolean(), secret: secretName }),
    ),
    secrets: fc.dictionary(secretName, content),
    routes: fc.dictionary(routeName, fc.record({ text: content, to: fc.array(clusterName, { maxLength: 2 }) })),
    listeners: fc.dictionary(
      fc.constantFrom("l", "m"),
      fc.record({ text: content, to: routeName, secret: secretName }),
    ),
  })
  .map(({ clusters, secrets, routes, listeners }) => {
    const made = Object.entries(secrets).map(([name, text]) => resource("secret", name, encode(text)));
    const secretsFor = (name: string): Reference[] => (name in secrets ? [{ type: "secret", name }] : []);
    for (const [name, { text, endpoints, byEds, secret }] of Object.entries(clusters)) {
      const references: Reference[] = [...(byEds ? [{ type: "endpoints", name } as const] : []), ...secretsFor(secret)];
      made.push(resource("cluster", name, encode(`${text} ${byEds} ${secret in secrets && secret}`), references));
      if (byEds) made.push(resource("endpoints", name, encode(endpoints)));
    }
    for (const [name, { text, to }] of Object.entries(routes)) {
      const names = [...new Set(to)].filter((one) => one in clusters);
      const references: Reference[] = names.map((one) => ({ type: "cluster", name: one }));
      made.push(resource("route", name, encode(`${text} ${names.join(" ")}`), references));
    }
    for (const [name, { text, to, secret }] of Object.entries(listeners)) {
      const references: Reference[] = [
        ...(to in routes ? [{ type: "route", name: to } as const] : []),
        ...secretsFor(secret),
      ];
      const names = references.map((one) => one.name).join(" ");
      made.push(resource("listener", name, encode(`${text} ${names}`), references));
    }
    return snapshot(made);
  });

type Step =
  | { readonly kind: "deliver" | "answer" | "stale" | "reconnect" | "settle" | "putBack" }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "put"; readonly snapshot: Snapshot }
  /** A cluster leaves, and is back while the client may not have answered the removal. */
  | { readonly kind: "blink"; readonly cluster: string };

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant<Step>({ kind: "deliver" }) },
    { weight: 6, arbitrary: fc.constant<Step>({ kind: "answer" }) },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: "stale" }) },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: "reconnect" }) },
    { weight: 2, arbitrary: fc.constant<Step>({ kind: "settle" }) },
    { weight: 2, arbitrary: fc.constant<Step>({ kind: "putBack" }) },
    { weight: 2, arbitrary: fc.constantFrom(1, 5_000, 31_000).map((ms): Step => ({ kind: "wait", ms })) },
    { weight: 3, arbitrary: snapshots.map((one): Step => ({ kind: "put", snapshot: one })) },
  ),
  { maxLength: 80 },
);

/** Steps of clusters that leave and come back. */
const blinks: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom<Step>({ kind: "deliver" }, { kind: "answer" }, { kind: "settle" }) },
    { weight: 2, arbitrary: snapshots.map((one): Step => ({ kind: "put", snapshot: one })) },
    { weight: 2, arbitrary: clusterName.map((cluster): Step => ({ kind: "blink", cluster })) },
  ),
  { maxLength: 40 },
);

/** Returns the snapshot without a cluster, and with routes that do not mention it. */
function without({ resources }: Snapshot, cluster: string): Snapshot {
  const made: Resource[] = [];
  for (const one of resources.values()) {
    if (one.name === cluster && (one.type === "cluster" || one.type === "endpoints")) continue;
    const kept = one.references.filter(({ type, name }) => type !== "cluster" || name !== cluster);
    const isChanged = kept.length < one.references.length;
    made.push(
      isChanged ? resource(one.type, one.name, encode(`1 ${kept.map(({ name }) => name).join(" ")}`), kept) : one,
    );
  }
  return snapshot(made);
}

interface Variant {
  readonly name: string;
  run(partial: boolean, holdMs: number, all: readonly Step[], last: Snapshot): Outcome;
}

interface Outcome {
  readonly ledger: Ledger;
  readonly client: ModelClient<unknown, unknown>;
  readonly streams: number;
}

/** Runs the steps, then lets everything settle. Checks after each that no reference dangles. */
function run<Request extends { readonly nonce: string }, Response>(
  open: (ledger: Ledger) => AdsStream<Request, Response>,
  client: ModelClient<Request, Response>,
  all: readonly Step[],
  last: Snapshot,
  checked: { readonly afterReconnect: boolean; readonly holdMs: number },
): Outcome {
  const ledger = createLedger();
  let now = 0;
  let stream = open(ledger);
  let streams = 1;
  const toClient: Response[] = [];
  const delivered: Request[] = [];
  client.connect();

  function pump(): void {
    for (let count = 0; ; count += 1) {
      const response = stream.next(now);
      if (response === undefined) return;
      assert.ok(count < 100, "the stream sends without end");
      toClient.push(response);
    }
  }
  function deliver(): boolean {
    const request = client.outbox.shift();
    if (request === undefined) return false;
    delivered.push(request);
    stream.receive(request, now);
    return true;
  }
  function answer(): boolean {
    const response = toClient.shift();
    if (response === undefined) return false;
    client.receive(response);
    // A client that answers too late may have dropped what it was sent.
    const excused = checked.holdMs === Infinity ? undefined : client.dropped;
    if (streams === 1 || checked.afterReconnect) assertNothingDangles(client, excused);
    return true;
  }

  let current: Snapshot | undefined;
  let before: Snapshot | undefined;
  function put(next: Snapshot | undefined): void {
    if (next === undefined) return;
    [before, current] = [current, next];
    ledger.put(next);
  }

  function settle(): void {
    do pump();
    while (deliver() || answer());
  }
  function blink(cluster: string): void {
    if (current === undefined) return;
    const whole = current;
    put(without(whole, cluster));
    settle();
    now += 31_000;
    pump();
    put(whole);
  }

  for (const step of all) {
    if (step.kind === "deliver") deliver();
    else if (step.kind === "answer") answer();
    else if (step.kind === "wait") now += step.ms;
    else if (step.kind === "put") put(step.snapshot);
    else if (step.kind === "putBack") put(before);
    else if (step.kind === "settle") settle();
    else if (step.kind === "blink") blink(step.cluster);
    else if (step.kind === "reconnect") {
      stream = open(ledger);
      streams += 1;
      toClient.length = 0;
      // A nonce counts on its own stream: no client answers on the next one before its first
      // request, which says what it holds.
      delivered.length = 0;
      client.connect();
    } else {
      // An answer to a response of long ago, as a slow client sends it.
      const old = delivered.find(({ nonce }) => nonce !== "");
      if (old !== undefined) stream.receive({ ...old, nonce: "stale", subscribe: [], unsubscribe: [] }, now);
    }
    pump();
  }

  ledger.put(last);
  for (let quiet = 0, rounds = 0; quiet < 8; rounds += 1) {
    assert.ok(rounds < 2_000, "the stream never comes to rest");
    pump();
    const moved = deliver() || answer();
    pump();
    if (moved) quiet = 0;
    else {
      now += 31_000;
      quiet += 1;
    }
  }
  return { ledger, client, streams };
}

function assertNothingDangles({ held }: ModelClient<unknown, unknown>, excused?: ReadonlySet<string>): void {
  for (const { name, references } of [...held.route.values(), ...held.listener.values()]) {
    for (const reference of references) {
      if (reference.type !== "cluster") continue;
      const met = held.cluster.has(reference.name) || excused?.has(keyOf(reference)) === true;
      assert.ok(met, `"${name}" refers to a cluster that the client was not sent`);
    }
  }
}

/** Returns true if the resource and everything that it refers to is acceptable. */
function isAcceptable(key: string, { resources }: Snapshot): boolean {
  const one = resources.get(key);
  return (
    one !== undefined &&
    !isBad(one) &&
    one.references.every((reference) => isAcceptable(keyOf(reference), { resources }))
  );
}

function assertHolds(
  { client, ledger }: Outcome,
  last: Snapshot,
  { newest, nothingElse }: { readonly newest: boolean; readonly nothingElse: boolean },
): void {
  for (const type of resourceTypes) {
    for (const one of client.held[type].values()) assert.ok(!isBad(one), `the client applied a bad ${type}`);
  }
  // A full response has no clusters that only an earlier stream knew: a stuck client misses them.
  if (newest) assertNothingDangles(client, client.rejected);
  for (const name of client.warming) {
    assert.ok(
      !newest || !isAcceptable(`endpoints/${name}`, last),
      `the cluster "${name}" still waits for its endpoints`,
    );
  }
  // Endpoints, secrets and routes that nothing refers to are not asked for.
  const asked = new Set(
    [...client.held.cluster.values(), ...client.held.listener.values()].flatMap(({ references }) =>
      references.map(keyOf),
    ),
  );
  for (const [key, { type, name, version }] of last.resources) {
    if (!newest || !isAcceptable(key, last)) continue;
    if (type !== "cluster" && type !== "listener" && !asked.has(key)) continue;
    assert.equal(client.held[type].get(name)?.version, version, `the client lacks the newest ${type} "${name}"`);
  }
  for (const one of [...client.held.cluster.values(), ...client.held.listener.values()]) {
    if (!nothingElse) break;
    const named = last.resources.has(keyOf(one));
    const used = [...client.held.route.values()].some(({ references }) =>
      references.some(({ name }) => name === one.name),
    );
    // While a resource is bad, its last good version may need it, or one rejected with others.
    const mayBeNeeded = ledger.effective?.has(keyOf(one)) === true || client.doubted.has(keyOf(one));
    const needed = mayBeNeeded && [...last.resources.values()].some(isBad);
    assert.ok(
      named || (one.type === "cluster" && (used || needed)),
      `the client still holds the removed ${one.type} "${one.name}"`,
    );
  }
}

const variants: readonly Variant[] = [
  {
    name: "SotW",
    run: (partial, holdMs, all, last) =>
      run<SotwRequest, SotwResponse>(
        (ledger) => openStream("sotw", ledger, timings(holdMs)),
        sotwClient(partial),
        all,
        last,
        {
          // A full response cannot keep a cluster that only an earlier stream knew.
          afterReconnect: false,
          holdMs,
        },
      ),
  },
  {
    name: "delta",
    run: (partial, holdMs, all, last) =>
      run<DeltaRequest, DeltaResponse>(
        (ledger) => openStream("delta", ledger, timings(holdMs)),
        deltaClient(partial),
        all,
        last,
        {
          afterReconnect: true,
          holdMs,
        },
      ),
  },
];

const runs = Number(process.env["XDS_RUNS"] ?? 400);

for (const variant of variants) {
  describe(`any interleaving of a ${variant.name} stream`, () => {
    test("removes a cluster of an earlier stream that the ledger no longer has", () => {
      // The cluster leaves the ledger once its endpoints are rejected, and the snapshot later.
      const rejected = snapshot([
        resource("cluster", "a", encode("1"), [{ type: "endpoints", name: "a" }]),
        resource("endpoints", "a", encode("bad 1")),
      ]);
      const all: readonly Step[] = [
        { kind: "put", snapshot: rejected },
        { kind: "settle" },
        { kind: "reconnect" },
        { kind: "stale" },
      ];
      const { client } = variant.run(false, 5_000, all, snapshot([]));
      assert.deepEqual([...client.held.cluster.keys()], []);
    });

    test("removes a cluster of an earlier stream after its only new version was rejected", () => {
      const all: readonly Step[] = [
        { kind: "put", snapshot: snapshot([resource("cluster", "a", encode("1"))]) },
        { kind: "settle" },
        { kind: "reconnect" },
        { kind: "put", snapshot: snapshot([resource("cluster", "a", encode("bad 1"))]) },
        { kind: "deliver" },
      ];
      for (const partial of [false, true]) {
        const { client } = variant.run(partial, 5_000, all, snapshot([]));
        assert.deepEqual([...client.held.cluster.keys()], []);
      }
    });

    test("sends a route after the wait to a client that rejects its cluster with a bad one", () => {
      const all: readonly Step[] = [
        {
          kind: "put",
          snapshot: snapshot([
            resource("listener", "l", encode("1 r"), [{ type: "route", name: "r" }]),
            resource("route", "r", encode("1")),
          ]),
        },
        { kind: "settle" },
        {
          kind: "put",
          snapshot: snapshot([
            resource("cluster", "a", encode("bad 1")),
            resource("cluster", "c", encode("1")),
            resource("listener", "l", encode("bad 1 r"), [{ type: "route", name: "r" }]),
            resource("route", "r", encode("1 c"), [{ type: "cluster", name: "c" }]),
          ]),
        },
        { kind: "wait", ms: 5_000 },
      ];
      const last = snapshot([]);
      assertHolds(variant.run(false, 5_000, all, last), last, { newest: true, nothingElse: true });
    });

    test("removes a cluster once a listener of an earlier stream is in the ledger again", () => {
      const listener = resource("listener", "l", encode("1 s"), [{ type: "route", name: "s" }]);
      const all: readonly Step[] = [
        { kind: "put", snapshot: snapshot([resource("route", "s", encode("bad 1")), listener]) },
        { kind: "settle" },
        {
          kind: "put",
          snapshot: snapshot([resource("cluster", "a", encode("1")), resource("listener", "l", encode("bad 1"))]),
        },
        { kind: "reconnect" },
        { kind: "settle" },
      ];
      const last = snapshot([resource("route", "s", encode("1")), listener]);
      const { client } = variant.run(true, 5_000, all, last);
      assert.deepEqual([...client.held.cluster.keys()], []);
    });

    test("keeps a cluster of a route that a rejected response may have left as it was", () => {
      const to = (...names: string[]): Reference[] => names.map((name) => ({ type: "cluster", name }));
      const listener = (name: string, route: string) =>
        resource("listener", name, encode(`1 ${route}`), [{ type: "route", name: route }]);
      const first = snapshot([
        resource("cluster", "c", encode("1")),
        resource("cluster", "a", encode("1")),
        resource("route", "r", encode("1 c a"), to("c", "a")),
        resource("route", "s", encode("bad 1 a"), to("a")),
        listener("m", "s"),
        listener("l", "r"),
      ]);
      const all: readonly Step[] = [
        { kind: "put", snapshot: first },
        { kind: "blink", cluster: "a" },
        { kind: "blink", cluster: "c" },
      ];
      const last = snapshot([resource("route", "r", encode("bad 1")), listener("l", "r")]);
      assertHolds(variant.run(true, 5_000, all, last), last, { newest: true, nothingElse: true });
    });

    test("leaves no route of an earlier stream without its cluster while the listener is bad, but over SotW", () => {
      const cluster = resource("cluster", "a", encode("1"));
      const route = resource("route", "r", encode("1 a"), [{ type: "cluster", name: "a" }]);
      const listener = resource("listener", "l", encode("1 r"), [{ type: "route", name: "r" }]);
      const all: readonly Step[] = [
        { kind: "put", snapshot: snapshot([cluster]) },
        { kind: "settle" },
        { kind: "wait", ms: 5_000 },
        { kind: "put", snapshot: snapshot([cluster, route, listener]) },
        { kind: "settle" },
        { kind: "reconnect" },
      ];
      const { client } = variant.run(false, 5_000, all, snapshot([resource("listener", "m", encode("bad 1"))]));
      const dangles = client.held.route.has("r") && !client.held.cluster.has("a");
      assert.equal(dangles, variant.name === "SotW");
    });

    for (const partial of [false, true]) {
      const how = partial ? "applies the good part of what it rejects" : "rejects a response as a whole";
      test(`ends with the last acceptable snapshot at a client that ${how}`, () => {
        fc.assert(
          fc.property(fc.constantFrom(...holds), steps, snapshots, (holdMs, all, last) => {
            const outcome = variant.run(partial, holdMs, all, last);
            const { client, streams } = outcome;
            // A client keeps the resources of an earlier stream while it rejects new ones:
            // they may refer to each other. A full response would remove them, so it is not split.
            const stuck = streams > 1 && [...last.resources.values()].some(isBad);
            assertHolds(outcome, last, { newest: !stuck || variant.name === "delta", nothingElse: !stuck });
            if (all.some(({ kind }) => kind === "put")) return;
            for (const [what, count] of client.rejections) {
              // Once in company and once alone, on each stream. A client asks for a secret again
              // when it loses what names it and gets that again.
              const named = [...last.resources.values()].filter(({ references }) =>
                references.some((one) => one.type === "secret" && what.startsWith(`${keyOf(one)}/`)),
              );
              assert.ok(count <= (2 + named.length) * streams, `${what} was rejected ${count} times`);
            }
          }),
          { numRuns: runs },
        );
      });
    }

    for (const partial of [false, true]) {
      const how = partial ? "applies the good part of what it rejects" : "rejects a response as a whole";
      test(`sends no route to a cluster whose removal is not answered to a client that ${how}`, () => {
        fc.assert(
          fc.property(fc.constantFrom(...holds), blinks, snapshots, (holdMs, all, last) => {
            assertHolds(variant.run(partial, holdMs, all, last), last, { newest: true, nothingElse: true });
          }),
          { numRuns: runs },
        );
      });
    }
  });
}
