import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createLedger, type Ledger } from "./ledger.ts";
import type { DeltaRequest, SotwRequest } from "./messages.ts";
import { type Reference, resource, SnapshotError, snapshot } from "./snapshot.ts";
import { type AdsStream, mostNames, openStream } from "./stream.ts";
import { SubscriptionError } from "./subscription.ts";
import type { ResourceType } from "./types.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const eds = (name: string): Reference[] => [{ type: "endpoints", name }];
const to = (...names: string[]): Reference[] => names.map((name) => ({ type: "cluster", name }));

/** Returns a system of one listener, one route and the clusters that the route names. */
function system(options: { cluster?: string; endpoints?: string; route?: string; to?: string[] } = {}) {
  const names = options.to ?? ["a"];
  return snapshot([
    ...names.flatMap((name) => [
      resource("cluster", name, encode(`${name} ${options.cluster ?? "1"}`), eds(name)),
      resource("endpoints", name, encode(`${name} ${options.endpoints ?? "1"}`)),
    ]),
    resource("listener", "l", encode("l"), [{ type: "route", name: "r" }]),
    resource("route", "r", encode(`${options.route ?? "1"} ${names.join(" ")}`), to(...names)),
  ]);
}

interface Answer {
  readonly type: ResourceType;
  readonly nonce: string;
  readonly resources: readonly { readonly name: string }[];
  readonly removed?: readonly string[];
}

/** Takes everything that the stream sends at that time. Throws if it sends without end. */
function take<Request, Response extends Answer>(stream: AdsStream<Request, Response>, now: number): Response[] {
  const all: Response[] = [];
  for (let one = stream.next(now); one !== undefined; one = stream.next(now)) {
    all.push(one);
    assert.ok(all.length < 100, "the stream sends without end");
  }
  return all;
}

/** Yields what the stream sends, round after round, until it is silent. Throws if it never is. */
function* rounds<Request, Response extends Answer>(stream: AdsStream<Request, Response>, now: number) {
  for (let count = 0; ; count += 1) {
    const some = take(stream, now);
    if (some.length === 0) return;
    assert.ok(count < 100, "the stream never comes to rest");
    yield some;
  }
}
const words = (all: readonly Answer[]) =>
  all.map(
    ({ type, resources, removed = [] }) =>
      `${type}:${resources.map(({ name }) => ` ${name}`).join("")}${removed.map((name) => ` -${name}`).join("")}`,
  );

/** A SotW client that asks for everything of a system and answers as the test says. */
function sotw(ledger: Ledger, names: readonly string[] = ["a"]) {
  const stream = openStream("sotw", ledger, { lingerMs: 30_000 });
  const ask = (type: ResourceType, part: Partial<SotwRequest> = {}, now = 0) =>
    stream.receive({ type, names: [], version: "", nonce: "", ...part }, now);
  ask("cluster");
  ask("endpoints", { names });
  ask("listener");
  ask("route", { names: ["r"] });
  const named = (type: ResourceType) => (type === "endpoints" ? names : type === "route" ? ["r"] : []);
  const answer = ({ type, nonce }: Answer, now = 0, error?: string) =>
    ask(type, { names: named(type), nonce, error, version: "x" }, now);
  /** Accepts everything until the stream is silent. Returns what was sent. */
  const settle = (now = 0): string[] => {
    const all: Answer[] = [];
    for (const some of rounds(stream, now)) {
      for (const one of some) answer(one, now);
      all.push(...some);
    }
    return words(all);
  };
  return { stream, ask, answer, settle };
}

describe("a SotW stream", () => {
  test("is silent before the first snapshot", () => {
    const ledger = createLedger();
    const { stream, settle } = sotw(ledger);
    assert.deepEqual(take(stream, 0), []);
    ledger.put(system());
    assert.deepEqual(settle(), ["cluster: a", "endpoints: a", "listener: l", "route: r"]);
  });

  test("sends a route after the answers about its cluster and endpoints", () => {
    const ledger = createLedger();
    ledger.put(system());
    const { stream, answer } = sotw(ledger);
    const [cluster, endpoints, ...others] = take(stream, 0);
    assert.ok(cluster !== undefined && endpoints !== undefined);
    assert.deepEqual(words(others), ["listener: l"]);
    answer(cluster);
    assert.deepEqual(words(take(stream, 0)), []);
    answer(endpoints);
    assert.deepEqual(words(take(stream, 0)), ["route: r"]);
  });

  test("sends a route after five seconds without an answer about its cluster", () => {
    const ledger = createLedger();
    ledger.put(system());
    const { stream } = sotw(ledger);
    take(stream, 0);
    assert.equal(stream.wakeAt, 5_000);
    assert.deepEqual(words(take(stream, 4_999)), []);
    assert.deepEqual(words(take(stream, 5_000)), ["route: r"]);
  });

  test("sends the endpoints again after a changed cluster, even unchanged ones", () => {
    const ledger = createLedger();
    ledger.put(system());
    const { settle } = sotw(ledger);
    settle();
    ledger.put(system({ cluster: "2" }));
    assert.deepEqual(settle(), ["cluster: a", "endpoints: a"]);
  });

  test("sends a rejected route once, and its successor", () => {
    const ledger = createLedger();
    ledger.put(system());
    const { stream, answer, settle } = sotw(ledger);
    settle();
    ledger.put(system({ route: "invalid" }));
    const [bad] = take(stream, 0);
    assert.ok(bad !== undefined);
    assert.deepEqual(answer(bad, 0, "no such thing"), {
      kind: "rejected",
      type: "route",
      names: ["r"],
      error: "no such thing",
    });
    assert.deepEqual(settle(60_000), []);
    assert.deepEqual(ledger.rejected(), ["route/r"]);
    ledger.put(system({ route: "3" }));
    assert.deepEqual(settle(60_000), ["route: r"]);
    assert.deepEqual(ledger.rejected(), []);
  });

  test("does not send a version again to the client that rejected it, though others accept it", () => {
    const ledger = createLedger();
    ledger.put(system());
    const { stream, answer, settle } = sotw(ledger);
    const other = sotw(ledger);
    settle();
    other.settle();
    ledger.put(system({ route: "2" }));
    const [bad] = take(stream, 0);
    assert.ok(bad !== undefined);
    const [good] = take(other.stream, 0);
    answer(bad, 0, "not for me");
    assert.ok(good !== undefined);
    other.answer(good);
    assert.deepEqual(ledger.rejected(), []);
    assert.deepEqual(settle(60_000), []);
  });

  test("has the state of each resource, and the reason of a rejection until its successor is accepted", () => {
    const ledger = createLedger();
    ledger.put(system());
    const { stream, answer, settle } = sotw(ledger);
    const states = () => stream.status().map(({ type, status, refusal }) => `${type} ${refusal?.error ?? status}`);
    assert.deepEqual(states(), ["cluster unsent", "endpoints unsent", "listener unsent", "route unsent"]);
    settle();
    assert.deepEqual(new Set(stream.status().map(({ status }) => status)), new Set(["synced"]));
    const good = stream.status().at(-1)?.version;
    ledger.put(system({ route: "invalid" }));
    const [bad] = take(stream, 1);
    assert.ok(bad !== undefined);
    assert.equal(states().at(-1), "route unanswered");
    answer(bad, 2, "no such thing");
    const [version] = bad.resources.map((one) => one.version);
    const refusal = { version, error: "no such thing", at: 2 };
    assert.deepEqual(stream.status().at(-1), { type: "route", name: "r", version: good, status: "rejected", refusal });
    ledger.put(system({ route: "3" }));
    settle(3);
    assert.equal(states().at(-1), "route synced");
  });

  test("gives newcomers the last good route, with the cluster that it needs", () => {
    const ledger = createLedger();
    ledger.put(system());
    const { stream, answer, settle } = sotw(ledger, ["a", "b"]);
    settle();
    const good = ledger.effective?.get("route/r")?.version;
    ledger.put(system({ route: "invalid", to: ["b"] }));
    for (const some of rounds(stream, 0)) {
      for (const one of some) answer(one, 0, one.type === "route" ? "bad" : undefined);
    }
    assert.equal(ledger.effective?.get("route/r")?.version, good);
    const newcomer = sotw(ledger, ["a", "b"]);
    assert.deepEqual(newcomer.settle(), ["cluster: b a", "endpoints: a b", "listener: l", "route: r"]);
  });

  test("finds the bad one of two changed clusters", () => {
    const ledger = createLedger();
    ledger.put(system({ to: ["a", "b"] }));
    const { stream, answer, settle } = sotw(ledger, ["a", "b"]);
    settle();
    ledger.put(system({ to: ["a", "b"], cluster: "2" }));
    const sent: string[] = [];
    for (const some of rounds(stream, 0)) {
      for (const one of some) {
        const changed = one.resources.find(
          ({ name, bytes }) => name === "b" && new TextDecoder().decode(bytes) === "b 2",
        );
        const error = one.type === "cluster" && changed !== undefined ? "b is bad" : undefined;
        if (one.type === "cluster") sent.push(error ?? "good");
        answer(one, 0, error);
      }
    }
    assert.deepEqual(sent, ["b is bad", "good", "b is bad"]);
    assert.deepEqual(ledger.rejected(), ["cluster/b"]);
  });

  test("sends the endpoints again with a cluster that a rejected response may have changed", () => {
    const ledger = createLedger();
    ledger.put(system({ to: ["a", "b"] }));
    const { stream, answer, settle } = sotw(ledger, ["a", "b", "c"]);
    settle();
    ledger.put(system({ to: ["a", "b"], cluster: "2" }));
    const [cluster, endpoints] = take(stream, 0);
    assert.ok(cluster?.type === "cluster" && endpoints?.type === "endpoints");
    answer(cluster, 0, "a or b is bad");
    answer(endpoints);
    ledger.put(system({ to: ["a", "b", "c"] }));
    // The first response puts back the versions of a and b that the client had, and adds c.
    const [first, second] = take(stream, 0);
    assert.deepEqual(words([first, second].filter((one) => one !== undefined)), ["cluster: a b c", "endpoints: a b c"]);
  });

  test("keeps a removed cluster for thirty seconds after the answer about the routes", () => {
    const ledger = createLedger();
    ledger.put(system({ to: ["a", "b"] }));
    const { stream, answer, settle } = sotw(ledger, ["a", "b"]);
    settle();
    ledger.put(system({ to: ["a"] }));
    const [route, ...others] = take(stream, 100_000);
    assert.deepEqual(words(others), []);
    assert.ok(route?.type === "route");
    assert.deepEqual(take(stream, 200_000), [], "the route is not accepted yet");
    answer(route, 200_000);
    assert.deepEqual(take(stream, 200_000), []);
    assert.equal(stream.wakeAt, 230_000);
    assert.deepEqual(settle(230_000), ["cluster: a"]);
  });

  test("sends no route to a cluster whose removal is not answered yet", () => {
    const ledger = createLedger();
    ledger.put(system({ to: ["a", "b"] }));
    const { stream, answer, settle } = sotw(ledger, ["a", "b"]);
    settle();
    ledger.put(system({ to: ["a"] }));
    settle();
    const [removal] = take(stream, 30_000);
    assert.ok(removal?.type === "cluster");
    ledger.put(system({ to: ["a", "b"] }));
    assert.deepEqual(words(take(stream, 30_000)), []);
    answer(removal, 30_000);
    assert.deepEqual(settle(30_000), ["cluster: a b", "endpoints: b", "route: r"]);
  });

  test("gives a cluster that was removed and added again its endpoints", () => {
    const ledger = createLedger();
    const { settle } = sotw(ledger, ["a", "b"]);
    for (let i = 0; i < 20; i += 1) {
      const now = i * 100_000;
      ledger.put(system({ to: ["a", "b"] }));
      assert.ok(settle(now).includes(i === 0 ? "endpoints: a b" : "endpoints: b"));
      ledger.put(system({ to: ["a"] }));
      settle(now);
      assert.deepEqual(settle(now + 40_000), ["cluster: a"]);
    }
  });

  test("drops the answer to an older response", () => {
    const ledger = createLedger();
    ledger.put(system());
    const { ask, settle, stream } = sotw(ledger);
    settle();
    ledger.put(system({ route: "2" }));
    take(stream, 0);
    assert.deepEqual(ask("route", { names: ["other"], nonce: "1", error: "old" }), { kind: "stale", type: "route" });
    assert.deepEqual(ledger.rejected(), []);
  });

  test("takes an empty first request for all, and an empty one after names for none", () => {
    const ledger = createLedger();
    ledger.put(system({ to: ["a", "b"] }));
    const stream = openStream("sotw", ledger);
    const ask = (names: string[], nonce = "") => stream.receive({ type: "cluster", names, version: "", nonce }, 0);
    ask([]);
    const [all] = take(stream, 0);
    assert.deepEqual(words(all === undefined ? [] : [all]), ["cluster: a b"]);
    ask(["a"], all?.nonce);
    ask([], all?.nonce);
    ledger.put(system({ to: ["a", "b"], cluster: "2" }));
    assert.deepEqual(words(take(stream, 0)), []);
  });

  test("refuses more names than a client may have", () => {
    const stream = openStream("sotw", createLedger());
    const names = Array.from({ length: mostNames + 1 }, (_, i) => String(i));
    assert.throws(() => stream.receive({ type: "route", names, version: "", nonce: "" }, 0), SubscriptionError);
  });
});

describe("a delta stream", () => {
  const open = (ledger: Ledger) => {
    const stream = openStream("delta", ledger, { lingerMs: 30_000 });
    const ask = (type: ResourceType, part: Partial<DeltaRequest> = {}, now = 0) =>
      stream.receive({ type, subscribe: [], unsubscribe: [], nonce: "", ...part }, now);
    const settle = (now = 0): string[] => {
      const all: Answer[] = [];
      for (const some of rounds(stream, now)) {
        for (const { type, nonce } of some) ask(type, { nonce }, now);
        all.push(...some);
      }
      return words(all);
    };
    return { stream, ask, settle };
  };
  const openAll = (ledger: Ledger) => {
    const client = open(ledger);
    client.ask("cluster");
    client.ask("endpoints", { subscribe: ["a"] });
    client.ask("listener");
    client.ask("route", { subscribe: ["r"] });
    return client;
  };

  test("sends only what changed", () => {
    const ledger = createLedger();
    ledger.put(system());
    const { settle } = openAll(ledger);
    assert.deepEqual(settle(), ["cluster: a", "endpoints: a", "listener: l", "route: r"]);
    ledger.put(system({ endpoints: "2" }));
    assert.deepEqual(settle(), ["endpoints: a"]);
    ledger.put(system({ endpoints: "2", cluster: "2" }));
    assert.deepEqual(settle(), ["cluster: a", "endpoints: a"]);
  });

  test("sends a resource again to a client that subscribes to it again", () => {
    const ledger = createLedger();
    ledger.put(system());
    const { ask, settle } = openAll(ledger);
    settle();
    ask("endpoints", { subscribe: ["a"] });
    assert.deepEqual(settle(), ["endpoints: a"]);
  });

  test("sends a resource again that a rejected response may have removed", () => {
    const ledger = createLedger();
    const listener = (name: string) => resource("listener", name, encode(name));
    ledger.put(snapshot([listener("m")]));
    const { stream, ask, settle } = open(ledger);
    ask("listener");
    assert.deepEqual(settle(), ["listener: m"]);
    ledger.put(snapshot([listener("bad")]));
    const [response] = take(stream, 0);
    assert.ok(response !== undefined);
    assert.deepEqual(words([response]), ["listener: bad -m"]);
    ask("listener", { nonce: response.nonce, error: "bad is bad" });
    ledger.put(snapshot([listener("m")]));
    assert.deepEqual(settle(), ["listener: m"]);
  });

  test("answers that a name does not exist", () => {
    const ledger = createLedger();
    ledger.put(system());
    const { ask, settle } = openAll(ledger);
    settle();
    ask("route", { subscribe: ["missing"] });
    assert.deepEqual(settle(), ["route: -missing"]);
  });

  test("counts a change of the subscription in the answer to an older response", () => {
    const ledger = createLedger();
    ledger.put(system({ to: ["a", "b"] }));
    const { ask, settle } = openAll(ledger);
    settle();
    assert.equal(ask("endpoints", { subscribe: ["b"], nonce: "stale" }).kind, "stale");
    assert.deepEqual(settle(), ["endpoints: b", "route: r"]);
  });

  test("does not take the answer to an older response for one to the last", () => {
    const ledger = createLedger();
    ledger.put(system());
    const { stream, ask, settle } = openAll(ledger);
    settle();
    ledger.put(system({ route: "2" }));
    const [last] = take(stream, 0);
    assert.equal(ask("route", { nonce: "1", error: "old" }).kind, "stale");
    assert.deepEqual(ledger.rejected(), []);
    assert.equal(ask("route", { nonce: last?.nonce ?? "" }).kind, "accepted");
  });

  test("sends nothing that the client holds from an earlier stream", () => {
    const ledger = createLedger();
    ledger.put(system());
    const { ask, settle } = open(ledger);
    const version = (key: string) => ledger.effective?.get(key)?.version ?? "";
    ask("cluster", { initialVersions: { a: version("cluster/a") } });
    ask("endpoints", { subscribe: ["a"], initialVersions: { a: version("endpoints/a") } });
    ask("listener", { initialVersions: { l: version("listener/l") } });
    ask("route", { subscribe: ["r"], initialVersions: { r: version("route/r") } });
    assert.deepEqual(settle(), ["cluster:", "listener:"]);
  });

  test("keeps a cluster of an earlier stream until the routes of that stream are replaced", () => {
    const ledger = createLedger();
    ledger.put(system());
    const { stream, ask, settle } = open(ledger);
    ask("cluster", { initialVersions: { old: "1" } });
    ask("endpoints", { subscribe: ["a"] });
    ask("route", { subscribe: ["r"], initialVersions: { r: "1" } });
    const sent = take(stream, 0);
    assert.deepEqual(words(sent), ["cluster: a", "endpoints: a"]);
    for (const { type, nonce } of sent) ask(type, { nonce }, 60_000);
    assert.deepEqual(settle(100_000), ["route: r"]);
    assert.deepEqual(settle(130_000), ["cluster: -old"]);
  });

  test("keeps a route of an earlier stream while its successor is rejected", () => {
    const ledger = createLedger();
    ledger.put(system());
    const { stream, ask, settle } = open(ledger);
    ask("cluster");
    ask("endpoints", { subscribe: ["a"] });
    for (const { type, nonce } of take(stream, 0)) ask(type, { nonce });
    ask("route", { subscribe: ["r"], initialVersions: { r: "1" } });
    const [bad] = take(stream, 0);
    assert.equal(bad?.type, "route");
    ask("route", { nonce: bad?.nonce ?? "", error: "bad" });
    assert.deepEqual(settle(60_000), []);
  });
});

describe("a snapshot", () => {
  test("names every reference that is not met", () => {
    const resources = [
      resource("route", "r", encode("r"), to("a", "b")),
      resource("cluster", "b", encode("b"), eds("b")),
    ];
    assert.throws(() => snapshot(resources), {
      name: "SnapshotError",
      message:
        'the route "r" refers to the cluster "a", which is missing\nthe cluster "b" refers to the endpoints "b", which is missing',
    });
  });

  test("refuses two resources of one name", () => {
    const one = resource("cluster", "a", encode("1"));
    assert.throws(() => snapshot([one, one]), /two resources of type cluster named "a"/);
  });

  test("refuses a reference against the order of the types", () => {
    assert.throws(() => resource("cluster", "a", encode("1"), [{ type: "route", name: "r" }]), SnapshotError);
  });

  test("gives equal bytes equal versions", () => {
    assert.equal(resource("cluster", "a", encode("1")).version, resource("cluster", "b", encode("1")).version);
    assert.notEqual(resource("cluster", "a", encode("1")).version, resource("cluster", "a", encode("2")).version);
  });
});
