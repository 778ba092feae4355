import assert from "node:assert/strict";
import test from "node:test";
import { z } from "zod";
import { upperSnake } from "./environment-name.ts";
import { listSettings } from "./list-settings.ts";
import { durationMs, port, secret } from "./types.ts";

for (const { name, schema, want } of [
  { name: "a port", schema: port(80), want: "a whole number from 0 to 65535" },
  { name: "a duration", schema: durationMs(1), want: "a whole number from 0 to 2147483647" },
  { name: "a whole number", schema: z.int(), want: "a whole number" },
  { name: "a number with a least value", schema: z.number().min(0.5), want: "a number, at least 0.5" },
  { name: "a number with a greatest value", schema: z.number().max(1), want: "a number, at most 1" },
  { name: "a number above a bound", schema: z.number().gt(0), want: "a number above 0" },
  { name: "a flag", schema: z.boolean().default(false), want: "true or false" },
  { name: "a choice", schema: z.enum(["a", "b"]), want: "one of a, b" },
  { name: "a URL", schema: z.url(), want: "a URL" },
  { name: "text", schema: z.string(), want: "text" },
  { name: "text that may be missing", schema: z.string().nullable().default(null), want: "text" },
  { name: "a list", schema: z.array(z.string()), want: "a list, each text" },
  { name: "a map", schema: z.record(z.string(), z.number()), want: "a map" },
  { name: "one of two types", schema: z.union([z.number(), z.boolean()]), want: "a number or true or false" },
  { name: "anything", schema: z.unknown(), want: "a value" },
]) {
  test(`${name} is described as: ${want}`, () => {
    assert.equal(listSettings(z.object({ key: schema }), "X")[0]?.expected, want);
  });
}

for (const [path, want] of [
  ["drainMs", "DRAIN_MS"],
  ["url", "URL"],
  ["otlpURL", "OTLP_URL"],
  ["HTTPPort", "HTTP_PORT"],
  ["http2", "HTTP2"],
  ["greeter-go", "GREETER_GO"],
] as const) {
  test(`${path} is ${want} in the name of a variable`, () => assert.equal(upperSnake(path), want));
}

test("a schema gives the rows of a settings table", () => {
  const schema = z.object({
    http: z.object({ port: port(8080).describe("The port of HTTP.") }),
    token: secret().describe("Opens the door."),
    brokers: z.array(z.string()).default(["a:1"]),
    telemetry: z.object({ otlpEndpoint: z.url().optional() }).prefault({}),
  });
  assert.deepEqual(listSettings(schema, "GATEWAY"), [
    {
      key: "http.port",
      env: "GATEWAY_HTTP_PORT",
      expected: "a whole number from 0 to 65535",
      required: false,
      secret: false,
      live: false,
      isList: false,
      default: 8080,
      description: "The port of HTTP.",
    },
    {
      key: "token",
      env: "GATEWAY_TOKEN",
      expected: "text that is not empty",
      required: true,
      secret: true,
      live: false,
      isList: false,
      description: "Opens the door.",
    },
    {
      key: "brokers",
      env: "GATEWAY_BROKERS",
      expected: "a list, each text",
      required: false,
      secret: false,
      live: false,
      isList: true,
      default: ["a:1"],
    },
    {
      key: "telemetry.otlpEndpoint",
      env: "GATEWAY_TELEMETRY_OTLP_ENDPOINT",
      expected: "a URL",
      required: false,
      secret: false,
      live: false,
      isList: false,
    },
  ]);
});
