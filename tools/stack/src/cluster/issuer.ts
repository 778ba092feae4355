/** The way of clients outside of pods to the issuer of the engines for tests. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { issuerVariables } from "../identity.ts";

type Kubectl = (...args: readonly string[]) => Promise<string>;

/**
 * Lets this process, and those that it starts, ask the issuer of a namespace for tokens. Disposing
 * ends that.
 */
export async function reachIssuer(kubectl: Kubectl): Promise<Disposable> {
  const address = await kubectl("get", "service", "issuer", "--output", "jsonpath={.spec.clusterIP}");
  const authority = await kubectl("get", "secret", "issuer-authority", "--output", "jsonpath={.data.ca\\.crt}");
  const folder = mkdtempSync(join(tmpdir(), "plumbline-issuer-"));
  const file = join(folder, "ca.pem");
  writeFileSync(file, Buffer.from(authority, "base64"));
  process.env[issuerVariables.url] = "https://issuer:8091";
  process.env[issuerVariables.address] = address;
  process.env[issuerVariables.authority] = file;
  return {
    [Symbol.dispose]() {
      for (const name of Object.values(issuerVariables)) delete process.env[name];
      rmSync(folder, { recursive: true });
    },
  };
}
