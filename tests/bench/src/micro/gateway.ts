import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { descriptorSet } from "@plumbline/contracts";
import { parseJson, parseTemplate, Router, readDescriptors, Transcoders } from "@plumbline/transcoding";
import type { Contest } from "./contest.ts";
import { fromCompetitors } from "./from-competitors.ts";

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

/** The parts of the gateway that a library could replace. */
export function gatewayContests(competitors: string): Contest[] {
  const findMyWay = fromCompetitors(competitors, "find-my-way") as (options?: object) => FindMyWay;

  const router = new Router<string>();
  const competitor = findMyWay({ caseSensitive: true });
  for (const [method, template] of routes) {
    router.add(method, parseTemplate(template), template);
    // In its own syntax and without verbs: it cannot distinguish `{id}:cancel` from an id.
    if (!template.includes(":")) competitor.on(method, template.replace(/\{(\w+)\}/, ":$1"), () => {});
  }

  const registry = readDescriptors(descriptorSet);
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

/** Keeps each result until the next one, so that the compiler cannot skip the work. */
let kept: unknown;

function repeat(work: () => unknown): (times: number) => void {
  return (times) => {
    for (let turn = 0; turn < times; turn++) kept = work();
    if (kept === undefined) throw new Error("nothing was made");
  };
}
