import { z } from "zod";
import { group, kind, plural, schemas, version } from "./backend-service.ts";

type Json = Readonly<Record<string, unknown>>;

/** Returns the CustomResourceDefinition of BackendService. */
export function definition(): Json {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase(), shortNames: ["bes"] },
      scope: "Namespaced",
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          additionalPrinterColumns: [
            { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
            { name: "Reason", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].reason' },
            { name: "Replicas", type: "integer", jsonPath: ".status.replicas" },
            { name: "Image", type: "string", jsonPath: ".spec.image", priority: 1 },
            { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
          ],
          subresources: {
            status: {},
            scale: {
              specReplicasPath: ".spec.replicas.min",
              statusReplicasPath: ".status.replicas",
              labelSelectorPath: ".status.selector",
            },
          },
          schema: {
            openAPIV3Schema: {
              type: "object",
              description: "A service: its Deployment, Service, autoscaler and the rest are kept as it says.",
              required: ["spec"],
              properties: {
                apiVersion: { type: "string" },
                kind: { type: "string" },
                metadata: { type: "object" },
                spec: structural(schemas.spec),
                status: structural(schemas.status),
              },
              "x-kubernetes-validations": schemas.rules,
            },
          },
        },
      ],
    },
  };
}

/** Returns the schema in the form that the API server takes. */
function structural(schema: z.ZodType): unknown {
  return simplified(z.toJSONSchema(schema, { io: "input", target: "draft-7" }));
}

const unknownKeys: ReadonlySet<string> = new Set(["$schema", "propertyNames"]);

function simplified(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(simplified);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(
    // The server drops unknown fields by itself, and refuses this beside properties.
    ([key, inner]) => !unknownKeys.has(key) && !(key === "additionalProperties" && inner === false),
  );
  return Object.fromEntries(kept.map(([key, inner]) => [key, simplified(inner)]));
}
