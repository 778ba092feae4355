import type { FileRegistry } from "@bufbuild/protobuf";
import { bindingsOf } from "./binding.ts";

/** Lists the proto packages that have at least one RPC with an HTTP form, sorted by name. */
export function annotatedPackages(registry: FileRegistry): readonly string[] {
  return [...new Set(bindingsOf(registry).map(({ method }) => method.parent.file.proto.package))].sort();
}
