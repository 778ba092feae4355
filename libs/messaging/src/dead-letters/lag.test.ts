import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { codeOf } from "@plumbline/errors";
import { adapters, Engine, until } from "../../test/failing-group.ts";
import { messages, unique } from "../conformance/test-context.ts";
import { groupLags, sumLags } from "./lag.ts";

for (const { adapter, skip, connect } of adapters) {
  describe(`lag on ${adapter}`, { skip }, () => {
    test("the lag of a group is the number of messages it has not handled, by partition and in sum", async () => {
      await using engine = await Engine.open(connect);
      const { broker, inspector } = engine;
      const topic = unique("lag.events");
      await engine.createTopics([topic]);
      const sent = messages(9, 9);
      await broker.publish(topic, sent);
      assert.deepEqual(await groupLags(inspector, { topic }), [], "no group reads the topic yet");

      const quick = await broker.subscribe(topic, async () => undefined, { group: "quick", concurrency: 4 });
      const stuck = await broker.subscribe(
        topic,
        async ({ message }) => {
          if (message.id === sent[0]?.id) throw new Error("cannot be handled");
        },
        { group: "slow.one", concurrency: 1 },
      );
      const sum = async (group: string) => sumLags(await groupLags(inspector, { topic, group }))[0]?.lag;
      await until(async () => (await sum("quick")) === 0n, "the quick group has handled everything");
      await Promise.all([quick, stuck].map((subscription) => subscription[Symbol.asyncDispose]()));
      await broker.publish(topic, sent.slice(0, 4));

      assert.equal(await sum("quick"), 4n);
      const slow = (await sum("slow.one")) ?? -1n;
      assert.ok(slow >= 5n && slow <= 13n, `lag of the slow group: ${slow}`);
      const rows = await groupLags(inspector, { topic, group: "quick" });
      assert.deepEqual(
        rows.map(({ partition }) => partition),
        [0, 1, 2],
      );
      for (const { end, committed = 0n, lag } of rows) assert.equal(end - committed, lag);
      assert.equal(
        rows.reduce((all, { end }) => all + end, 0n),
        13n,
      );
      const everyone = await groupLags(inspector, {});
      assert.deepEqual(
        sumLags(everyone.filter((row) => row.topic === topic)).map(({ group }) => group),
        ["quick", "slow.one"],
      );
    });

    test("the lag of a topic that does not exist is not found", async () => {
      await using engine = await Engine.open(connect);
      await assert.rejects(
        groupLags(engine.inspector, { topic: unique("none") }),
        (error) => codeOf(error) === "not_found",
      );
    });
  });
}
