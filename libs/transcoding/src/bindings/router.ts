import { Router } from "../template/router.ts";
import type { Binding } from "./binding.ts";

/** Builds the router of these bindings. Throws when two of them match the same method and paths. */
export function routerOf(bindings: readonly Binding[]): Router<Binding> {
  const router = new Router<Binding>();
  for (const binding of bindings) router.add(binding.httpMethod, binding.template, binding);
  return router;
}
