/** The contract of greeter in any language: calls, and the responses over the wire. */
import { GreeterService } from "@plumbline/contracts";
import type { Code } from "@plumbline/errors";
import { type Channel, createClient, HealthService, servingStatus } from "@plumbline/rpc";

/**
 * The failure of a call. `violations` and `retryAfterMs` come from the google.rpc details of the
 * status.
 */
export interface Failure {
  readonly code: Code;
  readonly message?: string;
  readonly violations?: readonly { readonly field: string; readonly description: string }[];
}

export interface Row {
  readonly name: string;
  readonly call: (channel: Channel) => Promise<unknown>;
  /** Returns the response, or the failure. */
  readonly want: { readonly answer: unknown } | { readonly failure: Failure };
}

const wrongName: Failure = {
  code: "invalid_argument",
  message: "the name cannot be greeted",
  violations: [{ field: "name", description: "must have 1 to 100 characters" }],
};

const hello = (name: string) => async (channel: Channel) =>
  await createClient(GreeterService, channel).sayHello({ name });
const greeting = (name: string) => ({ answer: { message: `Hello ${name}` } });
const check = (service: string) => async (channel: Channel) =>
  (await createClient(HealthService, channel).check({ service })).status;
const raw = (path: string, bytes: Uint8Array) => async (channel: Channel) => (await channel.unary(path, bytes)).message;

/** Returns the statuses that a watcher of health receives within `timeoutMs`, at most `count`. */
const watch = (service: string, count: number, timeoutMs: number) => async (channel: Channel) => {
  const statuses: number[] = [];
  for await (const { status } of createClient(HealthService, channel).watch({ service }, { timeoutMs })) {
    statuses.push(status);
    if (statuses.length === count) break;
  }
  return statuses;
};

/**
 * Returns the names in the response to one reflection request. It searches the bytes, because tools
 * have codecs of their own.
 */
const reflect = (version: string, request: readonly number[], names: readonly string[]) => async (channel: Channel) => {
  const requests = (async function* () {
    yield Uint8Array.from(request);
  })();
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  for await (const answer of channel.bidiStream(path, requests)) {
    const text = Buffer.from(answer).toString("latin1");
    return names.filter((name) => text.includes(name));
  }
  return [];
};
const listServices = [0x3a, 0];
const fileOf = (symbol: string) => [0x22, symbol.length, ...Buffer.from(symbol)];

export const contract: readonly Row[] = [
  { name: "a name is greeted", call: hello("Ada"), want: greeting("Ada") },
  { name: "the shortest name is greeted", call: hello("I"), want: greeting("I") },
  { name: "the longest name allowed is greeted", call: hello("x".repeat(100)), want: greeting("x".repeat(100)) },
  { name: "a hundred emoji are a hundred characters", call: hello("🫖".repeat(100)), want: greeting("🫖".repeat(100)) },
  { name: "a name is not trimmed", call: hello(" "), want: greeting(" ") },
  { name: "an empty name is refused by its field", call: hello(""), want: { failure: wrongName } },
  { name: "a name of 101 characters is refused", call: hello("x".repeat(101)), want: { failure: wrongName } },
  { name: "a name of 101 emoji is refused", call: hello("🫖".repeat(101)), want: { failure: wrongName } },
  { name: "a name of a megabyte is refused", call: hello("x".repeat(1_000_000)), want: { failure: wrongName } },
  {
    name: "a message over 4 MiB is refused before it is read",
    call: hello("x".repeat(5_000_000)),
    want: { failure: { code: "resource_exhausted" } },
  },
  {
    name: "a request without fields has an empty name, which is refused",
    call: raw("/greeter.v1.Greeter/SayHello", new Uint8Array(0)),
    want: { failure: wrongName },
  },
  {
    name: "fields from a newer contract are ignored",
    call: raw("/greeter.v1.Greeter/SayHello", Uint8Array.from([0x0a, 1, 0x41, 0x78, 7])),
    want: { answer: Uint8Array.from([0x0a, 7, ...Buffer.from("Hello A")]) },
  },
  {
    name: "an unknown method is unimplemented",
    call: raw("/greeter.v1.Greeter/SayGoodbye", new Uint8Array(0)),
    want: { failure: { code: "unimplemented" } },
  },
  {
    name: "an unknown service is unimplemented",
    call: raw("/greeter.v9.Greeter/SayHello", new Uint8Array(0)),
    want: { failure: { code: "unimplemented" } },
  },
  { name: "health of the server is served", call: check(""), want: { answer: servingStatus.SERVING } },
  {
    name: "health of the service is served by its name",
    call: check("greeter.v1.Greeter"),
    want: { answer: servingStatus.SERVING },
  },
  {
    name: "health of another service is not found",
    call: check("orders.v1.OrdersService"),
    want: { failure: { code: "not_found" } },
  },
  {
    name: "a watcher of health receives the current status",
    call: watch("greeter.v1.Greeter", 1, 5_000),
    want: { answer: [servingStatus.SERVING] },
  },
  {
    name: "a watcher of another service receives SERVICE_UNKNOWN",
    call: watch("orders.v1.OrdersService", 1, 5_000),
    want: { answer: [servingStatus.SERVICE_UNKNOWN] },
  },
  {
    name: "a call past its deadline ends with deadline_exceeded",
    call: watch("", 2, 200),
    want: { failure: { code: "deadline_exceeded" } },
  },
  ...["v1", "v1alpha"].flatMap((version): Row[] => [
    {
      name: `reflection ${version} lists the services`,
      call: reflect(version, listServices, ["greeter.v1.Greeter", "grpc.health.v1.Health"]),
      want: { answer: ["greeter.v1.Greeter", "grpc.health.v1.Health"] },
    },
    {
      name: `reflection ${version} has the file of a service`,
      call: reflect(version, fileOf("greeter.v1.Greeter"), ["greeter/v1/greeter.proto", "SayHello", "HelloRequest"]),
      want: { answer: ["greeter/v1/greeter.proto", "SayHello", "HelloRequest"] },
    },
  ]),
];
