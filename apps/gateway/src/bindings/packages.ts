import type { FileRegistry } from "@bufbuild/protobuf";
import { bindingsOf } from "./binding.ts";

/** The proto packages that have at least one RPC with an HTTP form. */
export function annotatedPackages(registry: FileRegistry): readonly string[] {
  return [...new Set(bindingsOf(registry).map(({ method }) => method.parent.file.proto.package))].sort();
}

/**
 * What the setting of a package's upstream is called: the package without its version, as one service serves all versions.
 * `orders.v1` is `orders`, `acme.shop.v1beta1` is `acme-shop`.
 */
export function upstreamName(protoPackage: string): string {
  return protoPackage.replace(/\.v\d+\w*$/, "").replaceAll(".", "-");
}
