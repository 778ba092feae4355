/**
 * The public API under load, for k6: for 30 s, 200 users greet, place orders, read and list them,
 * with pauses. The thresholds are the SLO; k6 exits with 99 if one is missed. `npm run load` runs
 * it against http://127.0.0.1:8080, or BASE_URL.
 *
 * All users have one address, for which the gateway allows 500 requests a second and a burst of
 * 1,000 (config/gateway.yaml, rateLimit.perClient), and 60 callers, for each of which it allows 50
 * and 100 (perPrincipal) and orders 60 orders a minute. With a pause of a second they stay below
 * all of it. For more load, shorten PAUSE_MS and raise those limits, which applies as soon as the
 * file is saved.
 */
import { check, sleep } from "k6";
import exec from "k6/execution";
import http, { type RefinedResponse, type ResponseType } from "k6/http";
import type { Options } from "k6/options";

const base = __ENV["BASE_URL"] ?? "http://127.0.0.1:8080";
/** The fields that say who sends a request: those of operators, who act for each user. */
const callers = JSON.parse(__ENV["CALLERS"] ?? "[]") as Record<string, string>[];
const pauseMs = Number(__ENV["PAUSE_MS"] ?? 1000);
const skus = ["tea", "pot", "cup"];

export const options: Options = {
  scenarios: {
    users: { executor: "constant-vus", vus: Number(__ENV["VUS"] ?? 200), duration: __ENV["DURATION"] ?? "30s" },
  },
  summaryTrendStats: ["avg", "med", "p(95)", "p(99)", "max"],
  // The SLO.
  thresholds: {
    http_req_failed: ["rate<0.001"],
    checks: ["rate>0.999"],
    "http_req_duration{name:greet}": ["p(99)<250"],
    "http_req_duration{name:place}": ["p(99)<500"],
    "http_req_duration{name:get}": ["p(99)<250"],
    "http_req_duration{name:list}": ["p(99)<250"],
  },
};

/** The name of a run, which `setup` gives to each user. */
interface Run {
  readonly run: string;
}

/** Waits until the system is ready, or its start would be measured as slow responses. */
export function setup(): Run {
  const { status, body } = http.get(`${base}/readyz`, {
    responseCallback: http.expectedStatuses(200, 503),
    tags: { name: "ready" },
  });
  if (status !== 200)
    exec.test.abort(
      `${base}/readyz answered ${status} ${body ?? ""}: start the system first (npm start, or docker compose up --wait)`,
    );
  return { run: Date.now().toString(36) };
}

/** Runs the requests of one user. */
export default function visit({ run }: Run): void {
  if (exec.vu.iterationInScenario === 0) sleep((pauseMs / 1000) * 4 * Math.random()); // Users arrive at different times.
  const identity = callers[exec.vu.idInTest % callers.length] ?? {};
  const customer = `load-${run}-${exec.vu.idInTest}`;
  expect(http.get(`${base}/v1/greetings/${customer}`, { tags: { name: "greet" } }), 200);
  pause();

  const order = JSON.stringify({
    customerId: customer,
    items: [{ sku: skus[exec.vu.iterationInScenario % skus.length], quantity: 1 }],
  });
  const placed = http.post(`${base}/v1/orders`, order, {
    headers: {
      ...identity,
      "Content-Type": "application/json",
      "Idempotency-Key": `${customer}-${exec.vu.iterationInScenario}`,
    },
    tags: { name: "place" },
  });
  if (!expect(placed, 200)) return pause();
  pause();

  expect(http.get(`${base}/v1/orders/${String(placed.json("id"))}`, { headers: identity, tags: { name: "get" } }), 200);
  pause();

  expect(
    http.get(`${base}/v1/orders?customerId=${customer}&pageSize=10`, { headers: identity, tags: { name: "list" } }),
    200,
  );
  pause();
}

function expect(response: RefinedResponse<ResponseType>, status: number): boolean {
  return check(response, { [`${response.request.method} answers ${status}`]: () => response.status === status });
}

/** Waits for 0.5 to 1.5 of the pause, so that users are not synchronous. */
function pause(): void {
  sleep((pauseMs / 1000) * (0.5 + Math.random()));
}
