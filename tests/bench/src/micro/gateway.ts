import { join } from "node:path";
import {
  create,
  createFileRegistry,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { descriptorSet } from "@plumbline/contracts";
import type { Contest } from "./contest.ts";
import { fromCompetitors } from "./from-competitors.ts";

interface Matcher {
  add(method: string, template: unknown, value: unknown): void;
  match(method: string, path: string): { readonly kind: string };
}
interface Transcode {
  readonly Transcoders: new (
    registry: FileRegistry,
  ) => { of(message: DescMessage): { json(bytes: Uint8Array): string } };
}
interface Parse {
  readonly parseJson: (bytes: Uint8Array) => unknown;
}
interface FindMyWay {
  on(method: string, path: string, handler: () => void): void;
  find(method: string, path: string): unknown;
}

const routes = [
  ["GET", "/v1/greetings/{name}"],
  ["POST", "/v1/greetings"],
  ["POST", "/v1/orders"],
  ["GET", "/v1/orders/{order_id}"],
  ["GET", "/v1/orders"],
  ["POST", "/v1/orders/{order_id}:cancel"],
  ["GET", "/v1/orders/{order_id}:watch"],
  ["GET", "/v1/orders/{order_id}/label"],
] as const;

/** The gateway's own parts. They are no library, so they are loaded by their place. */
export async function gatewayContests(root: string, competitors: string): Promise<Contest[]> {
  const part = async <T>(file: string): Promise<T> => (await import(join(root, "apps/gateway/src", file))) as T;
  const { Transcoders } = await part<Transcode>("json/transcode/transcoder.ts");
  const { parseJson } = await part<Parse>("json/parse.ts");
  const { Router } = await part<{ Router: new () => Matcher }>("template/router.ts");
  const { parseTemplate } = await part<{ readonly parseTemplate: (text: string) => unknown }>("template/parse.ts");
  const findMyWay = fromCompetitors(competitors, "find-my-way") as (options?: object) => FindMyWay;

  const router = new Router();
  const competitor = findMyWay({ caseSensitive: true });
  for (const [method, template] of routes) {
    router.add(method, parseTemplate(template), template);
    // Its own syntax, and without the verbs: it has no way to tell `{id}:cancel` from an id.
    if (!template.includes(":")) competitor.on(method, template.replace(/\{(\w+)\}/, ":$1"), () => {});
  }

  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));
  const order = registry.getMessage("orders.v1.Order");
  if (order === undefined) throw new Error("orders.v1.Order is not in the contracts");
  const message = create(order, {
    id: "01a212eb-18d9-76fc-8cbf-e52f6f016975",
    customerId: "me",
    items: [
      { sku: "tea", quantity: 2 },
      { sku: "oolong", quantity: 1 },
    ],
    status: 2,
    total: { currencyCode: "EUR", minorUnits: 1234n },
    version: 3n,
  });
  const bytes = Buffer.from(toBinary(order, message));
  const transcoder = new Transcoders(registry).of(order);
  const body = Buffer.from('{"customerId":"me","items":[{"sku":"tea","quantity":2},{"sku":"oolong","quantity":1}]}');

  return [
    {
      name: "route: GET /v1/orders/{id}",
      contenders: [
        { name: "Router", run: repeat(() => router.match("GET", "/v1/orders/01a212eb")) },
        { name: "find-my-way", run: repeat(() => competitor.find("GET", "/v1/orders/01a212eb")) },
      ],
    },
    {
      name: "bytes of an order to JSON text",
      contenders: [
        { name: "Transcoder", run: repeat(() => transcoder.json(bytes)) },
        {
          name: "@bufbuild fromBinary, toJson",
          run: repeat(() =>
            JSON.stringify(toJson(order, fromBinary(order, bytes), { alwaysEmitImplicit: true, registry })),
          ),
        },
      ],
    },
    {
      name: "body of 87 bytes, duplicate keys refused",
      contenders: [
        { name: "parseJson", run: repeat(() => parseJson(body)) },
        { name: "JSON.parse alone", run: repeat(() => JSON.parse(body.toString("utf8"))) },
      ],
    },
  ];
}

/** What is made is kept until the next, so that no compiler leaves the work out. */
let kept: unknown;

function repeat(work: () => unknown): (times: number) => void {
  return (times) => {
    for (let turn = 0; turn < times; turn++) kept = work();
    if (kept === undefined) throw new Error("nothing was made");
  };
}
