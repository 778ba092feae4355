import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { testCa, testClient, testServer } from "@plumbline/rpc/conformance";
import { startFakeApi } from "../test/fake-api.ts";
import { inCluster, kubeconfig } from "./access.ts";
import { Kube } from "./kube.ts";

const things = { path: "/api/v1/things" };

async function folder(t: TestContext): Promise<(name: string, text: string) => Promise<string>> {
  const path = await mkdtemp(join(tmpdir(), "kube-"));
  t.after(() => rm(path, { recursive: true }));
  return async (name, text) => {
    await writeFile(join(path, name), text);
    return join(path, name);
  };
}

const config = (server: string, user: string): string => `
current-context: here
contexts: [{name: here, context: {cluster: one, user: me, namespace: shop}}]
clusters: [{name: one, cluster: {server: "${server}", certificate-authority: ca.crt}}]
users: [{name: me, user: ${user}}]
`;

test("a kubeconfig with a client certificate reaches a server that requires one", async (t) => {
  await using api = await startFakeApi({
    key: testServer.key,
    cert: testServer.certificate,
    ca: testCa,
  });
  const write = await folder(t);
  await write("ca.crt", testCa);
  const user = `{client-certificate-data: ${base64(testClient.certificate)}, client-key-data: ${base64(testClient.key)}}`;
  const access = kubeconfig(await write("config", config(api.url, user)));
  assert.equal((await access()).namespace, "shop");
  assert.deepEqual((await new Kube({ access }).list(things)).objects, []);
});

test("a server whose certificate another authority signed is refused", async (t) => {
  await using api = await startFakeApi({
    key: testServer.key,
    cert: testServer.certificate,
    ca: testCa,
  });
  const kube = new Kube({ access: async () => ({ url: api.url, namespace: "shop" }) });
  await assert.rejects(kube.list(things), { code: "unavailable", message: /certificate/ });
  t.diagnostic("refused");
});

test("a service account's token is read again for each request", async (t) => {
  await using api = await startFakeApi();
  const write = await folder(t);
  for (const [name, text] of [
    ["ca.crt", testCa],
    ["namespace", "shop\n"],
  ] as const)
    await write(name, text);
  const path = await write("token", "first\n");
  const { hostname, port } = new URL(api.url);
  const pod = inCluster({ KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port }, join(path, ".."));
  const access = async () => ({ ...(await pod()), url: api.url });
  assert.equal((await pod()).url, `https://${hostname}:${port}`);
  await new Kube({ access }).list(things);
  await write("token", "second\n");
  await new Kube({ access }).list(things);
  assert.deepEqual(
    api.requests.map(({ token }) => token),
    ["Bearer first", "Bearer second"],
  );
});

for (const { name, text, message } of [
  { name: "that is no YAML", text: "token: [secret-word", message: /is no YAML$/ },
  { name: "without a context", text: "contexts: []", message: /current-context/ },
  { name: "whose context is missing", text: "current-context: away", message: /has no context "away"$/ },
  {
    name: "whose user runs a program",
    text: config("https://a", "{exec: {command: login}}"),
    message: /not supported/,
  },
  {
    name: "whose certificate is missing",
    text: config("https://a", "{token: secret-word}"),
    message: /ca.crt cannot be read: ENOENT/,
  },
]) {
  test(`a kubeconfig ${name} is refused, and the error names the file and no secret`, async (t) => {
    const path = await (await folder(t))("config", text);
    await assert.rejects(kubeconfig(path)(), (error: Error) => {
      assert.match(error.message, message);
      assert.match(error.message, new RegExp(path.slice(0, path.lastIndexOf("/"))));
      assert.doesNotMatch(error.message, /secret-word/);
      return true;
    });
  });
}

test("outside of a pod the missing variable is named", async () => {
  await assert.rejects(inCluster({})(), { code: "failed_precondition", message: /KUBERNETES_SERVICE_HOST/ });
});

function base64(pem: unknown): string {
  return Buffer.from(String(pem)).toString("base64");
}
