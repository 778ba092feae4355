import { base, call, placed, setSupplier } from "../api.ts";
import type { Attack, Target } from "../attack.ts";
import { ask, statusOf, Tally } from "../sockets.ts";

const order = '{"customerId":"victim","items":[{"sku":"tea","quantity":1}]}';
/** The types that a page of another site may send without asking, and tricks around them. */
const simpleTypes = [
  "text/plain",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "text/plain;application/json",
  "application/jsonp",
  "application/json, text/plain",
  "text/plain; charset=application/json",
];
const foreign = { origin: "https://evil.example", "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" };

async function pendingOrder(target: Target): Promise<string> {
  return await placed(target, "victim", [{ sku: "kettle", quantity: 1 }]);
}

export const foreignPages: Attack = {
  name: "forms of another site",
  right: "no order is placed or cancelled, and a preflight allows nothing",
  async run(target) {
    const statuses = new Tally();
    const misses: string[] = [];
    for (const type of simpleTypes) {
      const { status } = await call(`${base(target)}/v1/orders`, {
        method: "POST",
        headers: { ...foreign, "content-type": type },
        body: order,
      });
      statuses.add(status);
      if (status === 200) misses.push(`an order was placed as ${type}`);
    }
    await setSupplier(target, { failing: ["kettle"] });
    try {
      const id = await pendingOrder(target);
      const forms: Readonly<Record<string, string>>[] = [
        {},
        { "content-type": "text/plain" },
        { "content-type": "application/x-www-form-urlencoded" },
      ];
      for (const headers of forms) {
        const { status } = await call(`${base(target)}/v1/orders/${id}:cancel`, {
          method: "POST",
          headers: { ...foreign, ...headers },
        });
        statuses.add(status);
        if (status === 200) misses.push(`an order was cancelled by a form (${JSON.stringify(headers)})`);
      }
      const { body } = await call(`${base(target)}/v1/orders/${id}`);
      if (body.includes("CANCELLED")) misses.push("the order is cancelled");
    } finally {
      await setSupplier(target, { failing: [] });
    }
    const preflight = await fetch(`${base(target)}/v1/orders`, {
      method: "OPTIONS",
      headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
    });
    if (preflight.headers.has("access-control-allow-origin")) misses.push("a preflight allows another origin");
    return { sent: simpleTypes.length + 4, seen: `${statuses}`, misses };
  },
};

export const foreignHosts: Attack = {
  name: "a foreign Host (DNS rebinding)",
  right: "421 at the gateway",
  async run(target) {
    const statuses = new Tally();
    const hosts = ["rebind.evil.example:8080", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80"];
    for (const host of hosts) {
      const answer = await ask(target.ports.gateway, `GET /v1/greetings/x HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      statuses.add(statusOf(answer));
    }
    const own = await call(`${base(target)}/v1/greetings/x`);
    return {
      sent: hosts.length,
      seen: `${statuses}; the own name ${own.status}`,
      misses: [
        ...(statuses.of(421) === hosts.length ? [] : [`foreign hosts got ${statuses}`]),
        ...(own.status === 200 ? [] : [`the own name got ${own.status}`]),
      ],
    };
  },
};

export const refusedBytes: Attack = {
  name: "requests that the parser refuses",
  right: "each is answered with 400 or 429, and counted",
  async run(target, full) {
    const count = full ? 3_000 : 200;
    const statuses = new Tally();
    const before = await refusals(target);
    const bytes = "GET /v1/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n";
    let sent = 0;
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        while (sent < count) {
          sent += 1;
          statuses.add(statusOf(await ask(target.ports.gateway, bytes)));
        }
      }),
    );
    const counted = (await refusals(target)) - before;
    const refused = statuses.of(400) + statuses.of(429);
    return {
      sent,
      seen: `${statuses}; ${counted} counted`,
      misses: [
        ...(refused === sent ? [] : [`they got ${statuses}`]),
        ...(counted >= sent ? [] : [`${counted} of ${sent} counted`]),
      ],
    };
  },
};

async function refusals({ ports }: Target): Promise<number> {
  const { body } = await call(`http://127.0.0.1:${ports.gatewayOps}/metrics`);
  const lines = body.matchAll(/^http_requests_total\{[^}]*code="(?:400|429)"[^}]*\} (\d+)/gm);
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
}
