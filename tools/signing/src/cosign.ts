/**
 * The command lines of cosign 3, flag by flag, so that no default of a later version weakens a
 * check. An image is named by its digest: a tag can be moved between two of these commands.
 */
import { spawnSync } from "node:child_process";

/** The version that the release workflow installs. `npm run signing -- prove` passes with it. */
export const cosignVersion = "3.1.3";

/** Somebody whom an identity provider knows: a workflow on GitHub, for instance. */
export interface Identity {
  /** The exact name in the certificate. */
  readonly identity: string;
  /** The exact address of the provider that vouches for it. */
  readonly issuer: string;
  /** A file with the authorities; those of the public Sigstore without it. */
  readonly trustedRoot?: string;
}

/** A key in a file. Nothing else vouches for such a signature: it is in no public log. */
export interface Key {
  readonly key: string;
}

/** A statement about an image, by cosign's name of its type. */
export type Statement = "https://sigstore.dev/cosign/sign/v1" | "cyclonedx" | "slsaprovenance1";

/** The statement that a signature makes: this image, and nothing about it. */
export const signature = "https://sigstore.dev/cosign/sign/v1";

/** A key with the files that keep cosign from asking and telling the public Sigstore. */
export interface LocalSigner extends Key {
  readonly signingConfig: string;
  readonly trustedRoot: string;
  /** Says who has the key, by an authority in the trusted root. */
  readonly certificate?: string;
}

/** The content of a signing configuration without services. */
export const noServices = `${JSON.stringify({
  mediaType: "application/vnd.dev.sigstore.signingconfig.v0.2+json",
  rekorTlogConfig: {},
  tsaConfig: {},
})}\n`;

/** The content of a trusted root without authorities. */
export const noAuthorities = `${JSON.stringify({
  mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
})}\n`;

/** Returns the flags to sign as the workflow that runs this, or with a key. */
export function signArguments(image: string, signer?: LocalSigner): string[] {
  return ["sign", "--yes", ...signerArguments(signer), digestOf(image).image];
}

/** Returns the flags to attach a bill of materials. */
export function attestArguments(image: string, bill: string, signer?: LocalSigner): string[] {
  const about = ["--type", "cyclonedx", "--predicate", bill];
  return ["attest", "--yes", ...about, ...signerArguments(signer), digestOf(image).image];
}

/**
 * Returns the flags to verify a statement. Also for a signature: `cosign verify` takes any
 * statement of the signer for one.
 */
export function verifyArguments(image: string, by: Identity | Key, statement: Statement): string[] {
  const flags = ["--type", statement, "--check-claims=true", "--output", "json"];
  return ["verify-attestation", ...flags, ...verifierArguments(by), digestOf(image).image];
}

function signerArguments(signer: LocalSigner | undefined): string[] {
  if (signer === undefined) return [];
  const files = ["--key", signer.key, "--signing-config", signer.signingConfig, "--trusted-root", signer.trustedRoot];
  return signer.certificate === undefined ? files : [...files, "--certificate", signer.certificate];
}

function verifierArguments(by: Identity | Key): string[] {
  if ("key" in by) return ["--key", by.key, "--insecure-ignore-tlog=true"];
  return [
    "--certificate-identity",
    by.identity,
    "--certificate-oidc-issuer",
    by.issuer,
    "--insecure-ignore-tlog=false",
    "--insecure-ignore-sct=false",
    ...(by.trustedRoot === undefined ? [] : ["--trusted-root", by.trustedRoot]),
  ];
}

/** Returns the image and its digest. Throws where it is named by a tag. */
export function digestOf(image: string): { readonly image: string; readonly digest: string } {
  const digest = /^[^@\s-][^@\s]*@(sha256:[\da-f]{64})$/.exec(image)?.[1];
  if (digest === undefined)
    throw new Error(`"${image}" is no image by its digest: NAME@sha256:... is wanted, as a tag can be moved`);
  return { image, digest };
}

/**
 * Returns the documents of an image in the output of `verify-attestation`. Throws where there is
 * none, or where one is about another image.
 */
export function predicatesOf(output: string, image: string): unknown[] {
  const { digest } = digestOf(image);
  const found = output
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const { payload = "" } = JSON.parse(line) as { readonly payload?: string };
      const statement = JSON.parse(Buffer.from(payload, "base64").toString()) as {
        readonly subject?: readonly { readonly digest?: Readonly<Record<string, string>> }[];
        readonly predicate?: unknown;
      };
      const subjects = statement.subject?.map((one) => `sha256:${one.digest?.["sha256"]}`) ?? [];
      if (!subjects.includes(digest))
        throw new Error(`a document is about ${subjects.join(", ") || "nothing"}, not ${digest}`);
      return statement.predicate;
    });
  if (found.length === 0) throw new Error(`there is no document about ${image}`);
  return found;
}

/** Returns the reason why cosign cannot be used here; undefined if it can. */
export function whyNoCosign(program = "cosign"): string | undefined {
  const how = `go install github.com/sigstore/cosign/v3/cmd/cosign@v${cosignVersion}`;
  const { error, stdout } = spawnSync(program, ["version", "--json"], { encoding: "utf8" });
  if (error !== undefined) return `there is no cosign on PATH: ${how}`;
  const version = /"gitVersion": *"v?([^"]*)"/.exec(stdout)?.[1] ?? "of no version";
  return version.startsWith("3.") ? undefined : `cosign is ${version}, and its flags are those of 3: ${how}`;
}

/** Runs cosign, and returns what it printed. Throws with its complaint where it fails. */
export function cosign(args: readonly string[], env: NodeJS.ProcessEnv = process.env): string {
  const { status, stdout, stderr, error } = spawnSync("cosign", args, {
    encoding: "utf8",
    env,
    timeout: 300_000,
    maxBuffer: 64 * 2 ** 20,
  });
  if (error !== undefined) throw new Error(`cosign ${args[0]} did not run: ${error.message}`);
  if (status !== 0) throw new Error(`cosign ${args[0]} refuses (${status}): ${stderr.trim().slice(-1_000)}`);
  return stdout;
}
