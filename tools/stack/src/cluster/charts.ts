import { join, resolve } from "node:path";
import { identityOf } from "../processes/certificates.ts";

/** The folder of the charts. */
export const charts = resolve(import.meta.dirname, "../../../../deploy/helm");

/** The release of the services. The names of their objects begin with it. */
export const release = "plumbline";

/** Returns the folder of the chart of the services. */
export function chartOf(): string {
  return join(charts, "plumbline");
}

/** The arguments that give the gateway the issuer of the engines for tests. */
const tokens = ["--values", join(charts, "examples/issuer-for-tests.yaml")];

/** The arguments that let services know each other by certificates, in the place of addresses. */
const certificates = ["--set", `mtls.enabled=true,mtls.identity=${identityOf("%s")},settings.rpc.principalPeers=`];

/** Returns the arguments that give the services the engines for tests, and images of a tag. */
export function valuesOf(tag: string, identity: readonly string[] = [...tokens, ...certificates]): readonly string[] {
  return ["--values", join(charts, "examples/kafka.yaml"), "--set-string", `image.tag=${tag}`, ...identity];
}

/**
 * Returns the arguments about callers for a chart of an earlier commit, and for this one after it.
 * An earlier gateway without a way to an issuer asks for no tokens, and names no caller to the
 * services: during the upgrade they must take its calls too. The same holds for certificates.
 */
export function identityAfter(schema: string): { readonly before: readonly string[]; readonly now: readonly string[] } {
  const root = JSON.parse(schema) as Schema;
  const has = (...path: readonly string[]) =>
    path.reduce<Schema | undefined>((at, name) => at?.properties?.[name], root) !== undefined;
  const all = [...tokens, ...certificates];
  if (has("mtls")) return { before: all, now: all };
  if (has("networkPolicy", "issuer")) return { before: tokens, now: tokens };
  const off = ["--set", "services.gateway.settings.auth.off=true"];
  const before = has("services", "gateway", "settings", "auth") ? off : [];
  return { before, now: [...tokens, "--set", "settings.rpc.principalPeers="] };
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** Returns the chart of the engines for tests, and arguments that give its own programs images. */
export function enginesOf(tag: string): readonly string[] {
  const images = ["supplier", "issuer"].map((name) => `images.${name}=plumbline/${name}:${tag}`);
  return [join(charts, "engines-for-tests"), "--set-string", images.join(",")];
}

/** Returns the arguments that put an Ingress, Envoy or both in front of the gateway. */
export function frontValues(front: { readonly envoy: boolean; readonly ingressClass?: string }): readonly string[] {
  const { envoy, ingressClass } = front;
  const proxies = (envoy ? 1 : 0) + (ingressClass === undefined ? 0 : 1);
  const values = [
    ...(ingressClass === undefined ? [] : [`ingress.enabled=true,ingress.className=${ingressClass}`]),
    ...(envoy ? ["envoy.enabled=true,services.control-plane.enabled=true,discovery=kubernetes"] : []),
    ...(proxies === 0 ? [] : [`services.gateway.settings.http.trustProxy=${proxies}`]),
  ];
  return values.flatMap((value) => ["--set", value]);
}
