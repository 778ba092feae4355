import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { FileRegistry } from "@bufbuild/protobuf";
import { readDescriptors } from "./descriptors/read-descriptors.ts";

const root = join(import.meta.dirname, "../../..");

/** A serialized descriptor set of the packages in test/protos, as `buf build` writes it. */
export const shopDescriptors: Uint8Array = execFileSync(
  join(root, "node_modules/.bin/buf"),
  ["build", ".", "--as-file-descriptor-set", "--config", JSON.stringify(config()), "-o", "-#format=binpb"],
  {
    cwd: root,
    env: { ...process.env, PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}` },
    maxBuffer: 64 * 1024 * 1024,
  },
);

/** The descriptors of the packages in test/protos, for the tests of gateways. */
export const shop: FileRegistry = readDescriptors(shopDescriptors);

function config(): unknown {
  const google = "node_modules/google-proto-files";
  return {
    version: "v2",
    modules: [
      { path: "libs/transcoding/test/protos" },
      {
        path: google,
        includes: [`${google}/google/api`],
        excludes: ["apikeys", "cloudquotas", "expr", "servicecontrol", "servicemanagement", "serviceusage"].map(
          (name) => `${google}/google/api/${name}`,
        ),
      },
    ],
  };
}
