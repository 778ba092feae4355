import { join, resolve } from "node:path";

/** The folder of the charts. */
export const charts = resolve(import.meta.dirname, "../../../../deploy/helm");

/** The release of the services. The names of their objects begin with it. */
export const release = "plumbline";

/** Returns the folder of the chart of the services. */
export function chartOf(): string {
  return join(charts, "plumbline");
}

/**
 * Returns the arguments that give the services the engines for tests, and images of a tag. There is
 * no issuer among those engines, so the gateway asks for no tokens.
 */
export function valuesOf(tag: string): readonly string[] {
  const identity = ["--set", "services.gateway.settings.auth.off=true"];
  return ["--values", join(charts, "examples/kafka.yaml"), "--set-string", `image.tag=${tag}`, ...identity];
}

/** Returns the chart of the engines for tests, and arguments that give its supplier an image. */
export function enginesOf(tag: string): readonly string[] {
  return [join(charts, "engines-for-tests"), "--set-string", `images.supplier=plumbline/supplier:${tag}`];
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
