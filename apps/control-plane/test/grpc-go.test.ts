/** grpc-go as the client: its own interop program dials `xds:///interop`, without a proxy. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { promisify } from "node:util";
import { eventually, freePort } from "@plumbline/tools-engines";
import { interopProgram, whyNoInteropProgram } from "@plumbline/tools-go";
import { startControlPlane } from "./support.ts";

const skip = whyNoInteropProgram("interop-client") ?? false;

async function startGoServer(): Promise<AsyncDisposable & { readonly endpoint: string }> {
  const port = await freePort();
  const child = spawn(interopProgram("interop-server"), [`-port=${port}`], { stdio: "ignore" });
  const exited = once(child, "exit");
  const isOpen = async () => {
    const socket = connect(port, "127.0.0.1");
    const opened = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    return opened;
  };
  await eventually(isOpen, (open) => open);
  return {
    endpoint: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.kill();
      await exited;
    },
  };
}

/** Runs one case of the interop client. Rejects with its output if the case fails. */
async function goClient(testCase: string, controlPlanePort: number): Promise<void> {
  const bootstrap = {
    xds_servers: [
      {
        server_uri: `127.0.0.1:${controlPlanePort}`,
        channel_creds: [{ type: "insecure" }],
        server_features: ["xds_v3"],
      },
    ],
    node: { id: "grpc-go" },
  };
  const flags = ["-server_host=xds:///interop", "-server_port=0", `-test_case=${testCase}`];
  await promisify(execFile)(interopProgram("interop-client"), flags, {
    timeout: 30_000,
    env: { ...process.env, GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) },
  });
}

test("grpc-go follows the routes of its listener", { skip, timeout: 300_000 }, async () => {
  await using server = await startGoServer();
  await using controlPlane = await startControlPlane();
  const nowhere = `127.0.0.1:${await freePort()}`;
  const document = (others: string) => ({
    listeners: { interop: { routes: "interop" } },
    clusters: {
      alive: { endpoints: [server.endpoint], protocol: "http2" },
      dead: { endpoints: [nowhere], protocol: "http2" },
    },
    routes: {
      interop: [{ rules: [{ path: "/grpc.testing.TestService/EmptyCall", to: "alive" }, { to: others }] }],
    },
  });
  controlPlane.put(document("dead"));
  await goClient("empty_unary", controlPlane.port);
  await assert.rejects(goClient("large_unary", controlPlane.port), /Unavailable/);
  controlPlane.put(document("alive"));
  await goClient("large_unary", controlPlane.port);
  await goClient("ping_pong", controlPlane.port);
  assert.deepEqual(controlPlane.publisher.ledger.rejected(), []);
});
