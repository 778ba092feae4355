import { ServiceError } from "@plumbline/errors";
import type { Address, Resolver, ResolverTarget } from "@plumbline/rpc/discovery";
import { z } from "zod";
import type { Kube, KubeObject } from "./kube.ts";
import { watchObjects } from "./watch-objects.ts";

const EndpointSlice = z.object({
  endpoints: z
    .array(
      z.object({
        addresses: z.array(z.string()),
        conditions: z.object({ ready: z.boolean().nullish() }).nullish(),
      }),
    )
    .nullish(),
  ports: z.array(z.object({ name: z.string().nullish(), port: z.int().nullish() })).nullish(),
});

/**
 * Returns a resolver of "kubernetes:///service.namespace:port": the ready endpoints of the Service.
 * The port is the name of one of its ports, or the number that the pods listen on. It may be left
 * out if there is one. Without a namespace it is that of the access.
 */
export function kubernetesResolver(kube: Kube): Resolver {
  return {
    scheme: "kubernetes",
    example: "kubernetes:///service.namespace:port",
    check: (target) => void parseName(target),
    async *watch(target, signal) {
      const { service, namespace = await kube.namespace(), port } = parseName(target);
      const resource = {
        path: `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
        labelSelector: `kubernetes.io/service-name=${service}`,
      };
      for await (const slices of watchObjects(kube, resource, { signal })) {
        yield slices.flatMap((slice) => addressesOf(slice, port));
      }
    },
  };
}

interface Name {
  readonly service: string;
  readonly namespace: string | undefined;
  readonly port: string | undefined;
}

function parseName({ authority, name }: ResolverTarget): Name {
  const label = "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?";
  const match = new RegExp(`^(${label})(?:\\.(${label}))?(?::(${label}))?$`).exec(name);
  if (match?.[1] === undefined || authority !== "") {
    throw new ServiceError("invalid_argument", 'expected "kubernetes:///service.namespace:port"');
  }
  return { service: match[1], namespace: match[2], port: match[3] };
}

function addressesOf(object: KubeObject, port: string | undefined): Address[] {
  const slice = EndpointSlice.safeParse(object);
  if (!slice.success) {
    throw new ServiceError("unavailable", `the EndpointSlice ${object.metadata.name} cannot be read`);
  }
  const { endpoints, ports } = slice.data;
  const matching = (ports ?? []).filter(({ name, port: number }) => {
    return port === undefined || (name ?? "") === port || `${number}` === port;
  });
  const [found] = matching;
  if (port === undefined && matching.length > 1) {
    const names = matching.map(({ name, port: number }) => name || number).join(", ");
    throw new ServiceError("unavailable", `the Service has several ports (${names}): name one in the target`);
  }
  const number = found?.port;
  if (number === undefined || number === null) return [];
  // Nothing said about readiness means ready.
  const ready = (endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false);
  return ready.flatMap(({ addresses }) => addresses.slice(0, 1).map((host) => ({ host, port: number })));
}
