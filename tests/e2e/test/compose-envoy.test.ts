/** The system in containers with Envoy before the gateway, and between it and the services. */
import assert from "node:assert/strict";
import test, { after, before, describe } from "node:test";
import { eventually } from "@plumbline/tools-engines";
import {
  type ComposeStack,
  containers,
  endReport,
  identityOf,
  openCompose,
  whyNoCompose,
} from "@plumbline/tools-stack";
import { call } from "../src/http.ts";
import { httpJourneys } from "./journeys.ts";

const why = whyNoCompose("envoy");
if (why !== false) test("the system runs in containers behind Envoy", { skip: why }, () => undefined);
else describe("in containers behind Envoy", behindEnvoy);

/** Calls greeter at an address with the certificate of its container. Prints server and status. */
const greet = `
  const [address, certified] = process.argv.slice(1);
  const file = (name) => fs.readFileSync("/run/tls/" + name);
  const identity = certified === "yes" ? { cert: file("tls.crt"), key: file("tls.key") } : {};
  const options = { ca: file("ca.crt"), checkServerIdentity: () => undefined, ...identity };
  const session = http2.connect("https://" + address, options);
  const end = (text) => { console.log(text); process.exit(); };
  session.on("error", ({ code }) => end(code));
  const headers = { ":method": "POST", ":path": "/greeter.v1.Greeter/SayHello", "content-type": "application/grpc", te: "trailers" };
  const request = session.request(headers);
  let status;
  request.on("response", (answer) => (status = answer["grpc-status"]));
  request.on("trailers", (trailers) => (status = trailers["grpc-status"]));
  request.on("error", ({ code }) => end(code));
  request.on("end", () => setImmediate(() => end(session.socket.getPeerCertificate().subjectaltname + " " + status)));
  request.resume().end(Buffer.from([0, 0, 0, 0, 3, 10, 1, 65]));`;

function behindEnvoy(): void {
  let stack: ComposeStack;
  let base = "";
  before(async () => {
    stack = await openCompose({
      project: `plumbline-envoy-${process.pid}`,
      tag: `envoy-${process.pid}`,
      profile: "envoy",
    });
    [base = ""] = await stack.gateways();
  });
  after(() => stack?.[Symbol.asyncDispose]());

  const from = async (service: string, ...args: readonly string[]) =>
    (await stack.compose("exec", "-T", service, "/nodejs/bin/node", "-e", greet, ...args)).trim();

  httpJourneys(() => base);

  test("Envoy serves the gateway on its own port", async () => {
    const envoy = `http://127.0.0.1:${stack.variables["HOST_PORT_ENVOY"]}`;
    await eventually(
      async () => (await call(`${envoy}/v1/greetings/World`)).status,
      (status) => status === 200,
    );
  });

  test("Envoy takes the calls of the gateway alone, and the services those of Envoy", async () => {
    const envoy = `URI:${identityOf("envoy")}, DNS:envoy`;
    assert.equal(await from("gateway", "envoy:8001", "yes"), `${envoy} 0`);
    assert.match(await from("gateway", "envoy:8001", "no"), /CERTIFICATE_REQUIRED/);
    assert.match(await from("worker", "envoy:8001", "yes"), /ALERT_CERTIFICATE_UNKNOWN/);
    assert.equal(await from("gateway", "greeter:50051", "yes"), `URI:${identityOf("greeter")}, DNS:greeter 7`);
  });

  test("a certificate that is made again is shown without a restart of Envoy", { timeout: 120_000 }, async () => {
    const admin = [
      "exec 3<>/dev/tcp/127.0.0.1/9901",
      "printf 'GET /certs HTTP/1.1\\r\\nHost: envoy\\r\\nConnection: close\\r\\n\\r\\n' >&3",
      "cat <&3",
    ].join(" && ");
    const serials = async () => {
      const text = await stack.compose("exec", "-T", "envoy", "bash", "-c", admin);
      return [...new Set([...text.matchAll(/"serial_number": "(\w+)"/g)].map(([, serial]) => serial))];
    };
    const before = await serials();
    assert.ok(before.length > 0);
    const run = ["run", "--rm", "--no-deps"];
    await stack.compose(...run, "--entrypoint", "rm", "certificates", "/services/orders/tls.crt");
    await stack.compose(...run, "certificates");
    await eventually(serials, (now) => now.length > 0 && !now.some((serial) => before.includes(serial)), 60_000);
    assert.match(await from("gateway", "envoy:8001", "yes"), / 0$/);
  });

  test("on a stop, every container exits cleanly within its grace period", async () => {
    await stack.stop();
    const report = endReport(await containers(stack.variables));
    assert.ok(report.ok, report.text);
  });
}
