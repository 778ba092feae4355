/** The two commands. Each takes the cosign that it runs. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { text, UsageError } from "@plumbline/tools-stack/command";
import {
  attestArguments,
  digestOf,
  type Identity,
  type Key,
  type LocalSigner,
  noAuthorities,
  noServices,
  predicatesOf,
  type Statement,
  signArguments,
  signature,
  verifyArguments,
} from "./cosign.ts";

export const options = {
  image: text("the image by its digest", { takes: "NAME@sha256:..." }),
  bill: text("the bill of materials: sign attaches it, verify compares it", { takes: "FILE" }),
  identity: text("who must have signed, exactly: a workflow's address with its tag", { takes: "NAME" }),
  issuer: text("who must vouch for that name", { takes: "URL" }),
  "trusted-root": text("authorities in a file instead of those of the public Sigstore", { takes: "FILE" }),
  key: text("a key file instead of an identity: the private one to sign, the public one to verify", { takes: "FILE" }),
};

type Values = { readonly [K in keyof typeof options]?: string | undefined };

/** Runs cosign with these arguments, and returns its output. Throws where it refuses. */
export type Cosign = (args: readonly string[]) => string;

/** Returns the work that `sign` is to do. Throws UsageError. */
export function readSign({ bill, identity, issuer, key, ...values }: Values): (cosign: Cosign) => string[] {
  const image = imageOf(values);
  if (bill === undefined) throw new UsageError("sign needs --bill FILE, which npx nx sbom PROJECT writes");
  if (identity !== undefined || issuer !== undefined || values["trusted-root"] !== undefined)
    throw new UsageError("sign takes --key or nothing: its identity is that of the workflow which runs it");
  return (cosign) => {
    const folder = mkdtempSync(join(tmpdir(), "plumbline-signing-"));
    try {
      const signer = key === undefined ? undefined : localSigner(key, folder);
      cosign(signArguments(image, signer));
      cosign(attestArguments(image, bill, signer));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    return [`signed  ${image}, with its bill of materials`];
  };
}

/** Returns the work that `verify` is to do. Throws UsageError. */
export function readVerify(values: Values): (cosign: Cosign) => string[] {
  const image = imageOf(values);
  const by = signerOf(values);
  return (cosign) => {
    const predicates = (statement: Statement) => predicatesOf(cosign(verifyArguments(image, by, statement)), image);
    predicates(signature);
    const bills = predicates("cyclonedx");
    if (values.bill !== undefined) {
      const wanted: unknown = JSON.parse(readFileSync(values.bill, "utf8"));
      if (!bills.some((one) => isDeepStrictEqual(one, wanted)))
        throw new Error(`the signed bill of ${image} is not ${values.bill}`);
    }
    if (!("key" in by)) predicates("slsaprovenance1");
    return [
      `verified  the signature of ${image}`,
      `verified  its bill of materials${values.bill === undefined ? "" : `, which is ${values.bill}`}`,
      "key" in by
        ? "NOT VERIFIED  where it was built: only a workflow's identity attaches that"
        : "verified  where it was built",
    ];
  };
}

/** Returns a signer with a key, and writes its files to a folder. */
export function localSigner(key: string, folder: string): LocalSigner {
  const [signingConfig, trustedRoot] = [join(folder, "signing-config.json"), join(folder, "trusted-root.json")];
  writeFileSync(signingConfig, noServices);
  writeFileSync(trustedRoot, noAuthorities);
  return { key, signingConfig, trustedRoot };
}

function imageOf({ image }: Values): string {
  if (image === undefined) throw new UsageError("it needs --image NAME@sha256:...");
  try {
    return digestOf(image).image;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Returns who must have signed. There is no default: that somebody signed says nothing. */
function signerOf({ identity, issuer, key, "trusted-root": trustedRoot }: Values): Identity | Key {
  if (key !== undefined) {
    if (identity === undefined && issuer === undefined && trustedRoot === undefined) return { key };
    throw new UsageError("verify takes --key alone, or --identity with --issuer");
  }
  if (!identity || !issuer)
    throw new UsageError("verify needs --identity NAME and --issuer URL, or --key FILE: whose signature is it to be?");
  return { identity, issuer, ...(trustedRoot !== undefined && { trustedRoot }) };
}
