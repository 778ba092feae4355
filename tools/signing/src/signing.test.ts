import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { UsageError } from "@plumbline/tools-stack/command";
import { readSign, readVerify } from "./commands.ts";
import { predicatesOf, signature, whyNoCosign } from "./cosign.ts";

const folder = mkdtempSync(join(tmpdir(), "plumbline-signing-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, "bill.json");

const image = `registry.example/plumbline/orders@sha256:${"a".repeat(64)}`;
const identity = "https://github.com/o/r/.github/workflows/release.yml@refs/tags/v1.0.0";
const issuer = "https://token.actions.githubusercontent.com";
const bill = { bomFormat: "CycloneDX", components: [] };
writeFileSync(file, JSON.stringify(bill));

/** Returns a line of `verify-attestation`: a document about an image. */
function envelope(predicate: unknown, about = image): string {
  const [name, digest = ""] = about.split("@sha256:");
  const statement = { subject: [{ name, digest: { sha256: digest } }], predicate };
  return JSON.stringify({ payload: Buffer.from(JSON.stringify(statement)).toString("base64") });
}

interface Fake {
  /** The output for `verify-attestation`, by type. */
  readonly documents?: Readonly<Record<string, string>>;
  /** The command that fails. */
  readonly refuses?: string;
}

/** Returns a cosign with these answers, and its calls with the files that they name. */
function cosignWith({ documents = {}, refuses }: Fake = {}) {
  const calls: string[][] = [];
  const cosign = (args: readonly string[]) => {
    calls.push(
      args.map((one, index) =>
        ["--signing-config", "--trusted-root"].includes(args[index - 1] ?? "") && existsSync(one)
          ? readFileSync(one, "utf8")
          : one,
      ),
    );
    if (args[0] === refuses) throw new Error("no matching signatures");
    return documents[args[args.indexOf("--type") + 1] ?? ""] ?? "";
  };
  return { cosign, calls };
}

const whole = {
  [signature]: envelope({}),
  cyclonedx: envelope(bill),
  slsaprovenance1: envelope({ builder: "GitHub" }),
};

test("verify asks for signature, bill and provenance of exactly this signer, with the log", () => {
  const { cosign, calls } = cosignWith({ documents: whole });
  assert.equal(readVerify({ image, identity, issuer })(cosign).at(-1), "verified  where it was built");
  const signer = ["--certificate-identity", identity, "--certificate-oidc-issuer", issuer];
  const log = ["--insecure-ignore-tlog=false", "--insecure-ignore-sct=false"];
  const json = ["--check-claims=true", "--output", "json"];
  assert.deepEqual(calls, [
    ["verify-attestation", "--type", signature, ...json, ...signer, ...log, image],
    ["verify-attestation", "--type", "cyclonedx", ...json, ...signer, ...log, image],
    ["verify-attestation", "--type", "slsaprovenance1", ...json, ...signer, ...log, image],
  ]);
});

test("verify by a key asks for no log, and says that provenance is not verified", () => {
  const { cosign, calls } = cosignWith({ documents: whole });
  assert.match(readVerify({ image, key: "ours.pub" })(cosign).at(-1) ?? "", /^NOT VERIFIED {2}where it was built/);
  const rest = ["--check-claims=true", "--output", "json", "--key", "ours.pub", "--insecure-ignore-tlog=true", image];
  assert.deepEqual(calls, [
    ["verify-attestation", "--type", signature, ...rest],
    ["verify-attestation", "--type", "cyclonedx", ...rest],
  ]);
});

test("verify passes the authorities on", () => {
  const { cosign, calls } = cosignWith({ documents: whole });
  readVerify({ image, identity, issuer, "trusted-root": "root.json" })(cosign);
  assert.equal(calls.length, 3);
  for (const call of calls) assert.deepEqual(call.slice(-3), ["--trusted-root", "root.json", image]);
});

test("verify compares the bill with the one that is here", () => {
  const { cosign } = cosignWith({ documents: whole });
  assert.equal(
    readVerify({ image, identity, issuer, bill: file })(cosign)[1],
    `verified  its bill of materials, which is ${file}`,
  );
});

for (const [name, values, fake, says] of [
  ["what cosign refuses", {}, { documents: whole, refuses: "verify-attestation" }, /no matching signatures/],
  ["no signature", {}, { documents: { ...whole, [signature]: "" } }, /there is no document about/],
  ["no bill", {}, { documents: { ...whole, cyclonedx: "" } }, /there is no document about/],
  ["no provenance", {}, { documents: { ...whole, slsaprovenance1: "" } }, /there is no document about/],
  [
    "another bill",
    { bill: file },
    { documents: { ...whole, cyclonedx: envelope({}) } },
    /the signed bill of .* is not /,
  ],
] as const) {
  test(`verify refuses ${name}`, () =>
    assert.throws(() => readVerify({ image, identity, issuer, ...values })(cosignWith(fake).cosign), says));
}

test("a document about another image is refused", () => {
  const other = envelope(bill, image.replace("aaa", "bbb"));
  assert.throws(() => predicatesOf(`${whole.cyclonedx}\n${other}\n`, image), /a document is about sha256:bbb/);
  assert.deepEqual(predicatesOf(`${whole.cyclonedx}\n`, image), [bill]);
});

test("sign signs as the workflow, and attaches the bill", () => {
  const { cosign, calls } = cosignWith();
  readSign({ image, bill: file })(cosign);
  assert.deepEqual(calls, [
    ["sign", "--yes", image],
    ["attest", "--yes", "--type", "cyclonedx", "--predicate", file, image],
  ]);
});

test("sign with a key sends nothing to public services", () => {
  const { cosign, calls } = cosignWith();
  readSign({ image, bill: file, key: "ours.key" })(cosign);
  const [signing = [], attesting = []] = calls;
  assert.deepEqual(signing.slice(0, 5), ["sign", "--yes", "--key", "ours.key", "--signing-config"]);
  assert.deepEqual(JSON.parse(signing[5] ?? ""), {
    mediaType: "application/vnd.dev.sigstore.signingconfig.v0.2+json",
    rekorTlogConfig: {},
    tsaConfig: {},
  });
  assert.equal(signing[6], "--trusted-root");
  assert.deepEqual(JSON.parse(signing[7] ?? ""), {
    mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
  });
  assert.deepEqual(attesting.slice(-7), signing.slice(2));
});

const who = { identity, issuer };
for (const [name, read, values, says] of [
  ["verify without a signer", readVerify, { image }, /verify needs --identity NAME and --issuer URL, or --key FILE/],
  ["verify without an issuer", readVerify, { image, identity }, /verify needs --identity NAME and --issuer URL/],
  ["verify without an identity", readVerify, { image, issuer }, /verify needs --identity NAME and --issuer URL/],
  [
    "verify with an empty identity",
    readVerify,
    { image, issuer, identity: "" },
    /verify needs --identity NAME and --issuer URL/,
  ],
  ["verify with a key and an identity", readVerify, { image, ...who, key: "k" }, /--key alone, or --identity with/],
  ["an image by its tag", readVerify, { image: "a/b:1", ...who }, /"a\/b:1" is no image by its digest/],
  ["an image that is an option", readVerify, { image: image.replace(/^/, "--"), ...who }, /is no image by its digest/],
  ["no image", readVerify, who, /it needs --image/],
  ["sign without a bill", readSign, { image }, /sign needs --bill FILE/],
  ["sign with an identity", readSign, { image, bill: file, ...who }, /sign takes --key or nothing/],
] as const) {
  test(`a wrong command line: ${name}`, () =>
    assert.throws(
      () => read(values),
      (error: Error) => error instanceof UsageError && says.test(error.message),
    ));
}

const how = "go install github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3";

test("cosign is found by its version", () => {
  const program = join(folder, "cosign");
  const version = (text: string) =>
    writeFileSync(program, `#!/bin/sh\necho '{ "gitVersion": "${text}" }'\n`, { mode: 0o755 });
  assert.equal(whyNoCosign(join(folder, "none")), `there is no cosign on PATH: ${how}`);
  version("v2.6.5");
  assert.equal(whyNoCosign(program), `cosign is 2.6.5, and its flags are those of 3: ${how}`);
  version("v3.1.3");
  assert.equal(whyNoCosign(program), undefined);
});

test("without cosign nothing passes for verified", () => {
  const args = ["-C", "source", join(import.meta.dirname, "main.ts"), "verify", "--image", image, "--key", "ours.pub"];
  const env = { ...process.env, PATH: folder, NODE_OPTIONS: undefined };
  rmSync(join(folder, "cosign"), { force: true });
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", env });
  assert.deepEqual([status, stdout, stderr], [77, "", `NOT VERIFIED: there is no cosign on PATH: ${how}\n`]);
});
