/** Leads by a Lease, and writes as fast as it can while it does. A test stops its process. */
import { inspect } from "node:util";
import { acquireLease, Kube, resourceOf } from "../src/index.ts";
import { shortLease } from "./lease-suite.ts";

const [url = "", namespace = "", name = "", identity = ""] = process.argv.slice(2);
const kube = new Kube({ access: async () => ({ url, namespace }), timeoutMs: 3_000 });
await using leadership = await acquireLease(kube, { namespace, name, identity, ...shortLease });
console.log("leads");
const writer = kube.guarded(() => leadership.check());
for (;;) {
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { generateName: `${identity}-`, namespace } };
  await writer
    .create(resourceOf("v1", "configmaps", namespace), object)
    .catch((error: unknown) => console.log(inspect(error)));
}
