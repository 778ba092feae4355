import assert from "node:assert/strict";
import test from "node:test";
import { endReport } from "./end-report.ts";

const ended = (Service: string, ExitCode: number, State = "exited") => ({
  ID: Service,
  Name: `plumbline-${Service}-1`,
  Service,
  State,
  ExitCode,
  Publishers: [],
});

for (const { name, container, ok, says } of [
  { name: "a service that ends with 0 is clean", container: ended("orders", 0), ok: true, says: /0$/ },
  { name: "a service that ends with 1 has failed", container: ended("orders", 1), ok: false, says: /FAILED$/ },
  { name: "a service ended by SIGTERM has failed", container: ended("orders", 143), ok: false, says: /FAILED$/ },
  { name: "a service ended after its grace was killed", container: ended("orders", 137), ok: false, says: /KILLED/ },
  { name: "a JVM says 143 when it ends in good order", container: ended("kafka", 143), ok: true, says: /143$/ },
  { name: "a JVM ended after its grace was killed", container: ended("kafka", 137), ok: false, says: /KILLED/ },
  {
    name: "a container that still runs was not stopped",
    container: ended("orders", 0, "running"),
    ok: false,
    says: /NOT/,
  },
]) {
  test(name, () => {
    const report = endReport([ended("greeter", 0), container]);
    assert.equal(report.ok, ok);
    assert.match(report.text.split("\n").at(-1) ?? "", says);
  });
}

test("no containers at all is no good end", () => assert.equal(endReport([]).ok, false));
