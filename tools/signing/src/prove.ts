/**
 * Shows with the cosign of this machine that what must be refused is refused. The images are its
 * own, in a registry in memory; keys and authorities are made for the run. Needs no network.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Authority } from "./authority.ts";
import { localSigner } from "./commands.ts";
import {
  attestArguments,
  type Identity,
  type Key,
  type LocalSigner,
  predicatesOf,
  type Statement,
  signArguments,
  signature,
  verifyArguments,
} from "./cosign.ts";
import { MemoryRegistry } from "./registry.ts";

const identity = "https://github.com/example/plumbline/.github/workflows/release.yml@refs/tags/v1.0.0";
const issuer = "https://token.actions.githubusercontent.com";

/** Prints one line for each case. Returns the exit code: 1 if one did not end as it must. */
export async function prove(print: (line: string) => void): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "plumbline-signing-"));
  await using registry = new MemoryRegistry();
  try {
    const prover = new Prover(folder, registry, await registry.start(), print);
    await prover.keys();
    await prover.identities();
    print(`${prover.cases} cases, ${prover.wrong} did not end as they must`);
    return prover.wrong === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

class Prover {
  cases = 0;
  wrong = 0;
  readonly #folder: string;
  readonly #registry: MemoryRegistry;
  readonly #host: string;
  readonly #print: (line: string) => void;

  constructor(folder: string, registry: MemoryRegistry, host: string, print: (line: string) => void) {
    this.#folder = folder;
    this.#registry = registry;
    this.#host = host;
    this.#print = print;
    writeFileSync(this.#at("bill.json"), JSON.stringify({ bomFormat: "CycloneDX", specVersion: "1.5" }));
  }

  async keys(): Promise<void> {
    for (const name of ["ours", "theirs"])
      await this.#cosign(["generate-key-pair", "--output-key-prefix", this.#at(name)]);
    const signer = localSigner(this.#at("ours.key"), this.#folder);
    const [ours, theirs]: readonly [Key, Key] = [{ key: this.#at("ours.pub") }, { key: this.#at("theirs.pub") }];
    const sign = async (image: string) => void (await this.#cosign(signArguments(image, signer)));
    const attest = async (image: string) =>
      void (await this.#cosign(attestArguments(image, this.#at("bill.json"), signer)));

    const whole = this.#image("whole");
    await sign(whole);
    await attest(whole);
    await this.#case("taken", "a signature of our key", whole, ours, signature);
    await this.#case("taken", "a bill of our key", whole, ours, "cyclonedx");
    await this.#case("refused", "another key's signature", whole, theirs, signature);
    await this.#case("refused", "another key's bill", whole, theirs, "cyclonedx");
    await this.#case("refused", "no provenance", whole, ours, "slsaprovenance1");
    await this.#case("refused", "no signature at all", this.#image("bare"), ours, signature);

    const billOnly = this.#image("bill-only");
    await attest(billOnly);
    await this.#case("refused", "a bill in place of a signature", billOnly, ours, signature);
    const signatureOnly = this.#image("signature-only");
    await sign(signatureOnly);
    await this.#case("refused", "a signature in place of a bill", signatureOnly, ours, "cyclonedx");

    const swapped = this.#image("swapped");
    this.#registry.attach(whole, swapped, (bundle) => bundle);
    await this.#case("refused", "the signature of another digest", swapped, ours, signature);
    await this.#case("refused", "the bill of another digest", swapped, ours, "cyclonedx");
    const changed = this.#image("changed");
    this.#registry.attach(whole, changed, (bundle) => aboutAnother(bundle, whole, changed));
    await this.#case("refused", "a changed byte in what was signed", changed, ours, signature);
  }

  async identities(): Promise<void> {
    const authority = new Authority(this.#folder);
    const root = this.#at("root.json");
    const fulcio = `url=https://fulcio.example,certificate-chain=${authority.certificate}`;
    await this.#cosign(["trusted-root", "create", "--fulcio", fulcio, "--out", root]);
    const who: Identity = { identity, issuer, trustedRoot: root };
    const signAs = async (name: string, validSeconds: number): Promise<{ image: string; until: Date }> => {
      const until = new Date(Date.now() + validSeconds * 1_000);
      const { key, certificate } = authority.certify(name, { identity, issuer }, until);
      await this.#cosign(["import-key-pair", "--key", key, "--output-key-prefix", this.#at(name)]);
      const signer: LocalSigner = {
        ...localSigner(this.#at(`${name}.key`), this.#folder),
        trustedRoot: root,
        certificate,
      };
      const image = this.#image(name);
      await this.#cosign(signArguments(image, signer));
      return { image, until };
    };

    const { image } = await signAs("named", 3_600);
    await this.#case("taken", "a workflow's signature", image, who, signature, withoutLog);
    await this.#case("refused", "one that is in no public log", image, who, signature);
    const others = { identity: identity.replace("v1.0.0", "v1.0.1"), issuer };
    await this.#case("refused", "another workflow's", image, { ...who, ...others }, signature, withoutLog);
    const part = { identity: identity.slice(0, -1), issuer };
    await this.#case("refused", "a part of the workflow's name", image, { ...who, ...part }, signature, withoutLog);
    const elsewhere = { identity, issuer: "https://accounts.example" };
    await this.#case("refused", "another provider's", image, { ...who, ...elsewhere }, signature, withoutLog);
    const stranger: Identity = { ...who, trustedRoot: this.#at("trusted-root.json") };
    await this.#case("refused", "an unknown authority's", image, stranger, signature, withoutLog);

    // Signing must end within this time, on a machine that is busy with other work too.
    const expired = await signAs("expired", 20);
    await sleep(Math.max(0, expired.until.getTime() + 1_500 - Date.now()));
    await this.#case("refused", "a signature whose certificate has expired", expired.image, who, signature, withoutLog);
  }

  /** Pushes an image with its name as the content, and returns its name by digest. */
  #image(name: string): string {
    return `${this.#host}/plumbline/${name}@${this.#registry.push(`plumbline/${name}`, name)}`;
  }

  async #case(
    want: "taken" | "refused",
    name: string,
    image: string,
    by: Identity | Key,
    statement: Statement,
    change: (args: readonly string[]) => readonly string[] = (args) => args,
  ): Promise<void> {
    let refusal: string | undefined;
    try {
      predicatesOf(await this.#cosign(change(verifyArguments(image, by, statement))), image);
    } catch (error) {
      const { stderr, message } = error as Error & { readonly stderr?: string };
      refusal = (stderr ?? message).split("\n").find((line) => line.startsWith("Error: ")) ?? message;
    }
    const ended = refusal === undefined ? "taken" : "refused";
    this.cases += 1;
    if (ended !== want) this.wrong += 1;
    const because = refusal === undefined ? "" : `: ${refusal.replace(/^Error: /, "").slice(0, 100)}`;
    this.#print(`${ended === want ? "ok   " : "WRONG"}  ${ended.padEnd(7)}  ${name}${because}`);
  }

  /** Runs cosign without the user's files, and lets the registry answer meanwhile. */
  async #cosign(args: readonly string[]): Promise<string> {
    const env = { PATH: process.env["PATH"], HOME: this.#folder, COSIGN_PASSWORD: "" };
    return (await promisify(execFile)("cosign", args, { env, timeout: 120_000 })).stdout;
  }

  #at(name: string): string {
    return join(this.#folder, name);
  }
}

/** Returns the flags for authorities that keep no public log, as those of this run. */
function withoutLog(args: readonly string[]): readonly string[] {
  return args.map((one) => one.replace(/^(--insecure-ignore-(?:tlog|sct))=false$/, "$1=true"));
}

/** Returns a bundle with another image in the statement, under the old signature. */
function aboutAnother(bundle: string, image: string, other: string): string {
  const digestIn = (name: string) => name.split("@sha256:")[1] ?? "";
  const read = JSON.parse(bundle) as { readonly dsseEnvelope: { readonly payload: string } };
  const statement = Buffer.from(read.dsseEnvelope.payload, "base64").toString();
  const payload = Buffer.from(statement.replaceAll(digestIn(image), digestIn(other))).toString("base64");
  return JSON.stringify({ ...read, dsseEnvelope: { ...read.dsseEnvelope, payload } });
}
