import { secret, settingsPrefix } from "@plumbline/config";
import { clientTlsSettings } from "@plumbline/rpc/settings";
import { z } from "zod";

// A rule of its own, so that its text is the message.
const endpoint = z
  .string()
  .refine((text) => /^https?:\/\/[^\s/?#@]+\/?$/.test(text), "http://host:port or https://host:port");

/** Returns the sections of the stores of settings and registries. */
export function storeSettings() {
  return {
    etcd: z
      .object({
        endpoints: z
          .array(endpoint)
          .min(1)
          .max(16)
          .optional()
          .describe("the members of the cluster: http://host:2379 or https://host:2379"),
        username: z.string().min(1).optional(),
        password: secret().optional(),
        tls: clientTlsSettings(),
      })
      .superRefine(({ username, password }, context) => {
        if ((username === undefined) === (password === undefined)) return;
        const path = [username === undefined ? "username" : "password"];
        context.addIssue({ code: "custom", path, message: "both username and password, or neither" });
      }),
    consul: z.object({
      url: endpoint.optional().describe("the agent: http://host:8500 or https://host:8501"),
      token: secret().optional(),
      tls: clientTlsSettings(),
    }),
  };
}

/**
 * The settings that choose the source of all others. They come from the environment only, with the
 * prefix `<NAME>_CONFIG_`.
 */
export const ConfigSettings = z
  .object({
    source: z.enum(["file", "etcd", "consul"]).default("file").describe("the store of the document with the settings"),
    file: z
      .string()
      .min(1)
      .optional()
      .describe("source file: the document, config/SERVICE.yaml if not set, which may be missing"),
    key: z
      .string()
      .min(1)
      .max(512)
      .optional()
      .describe("source etcd or consul: the key of the document; plumbline/config/SERVICE.yaml if not set"),
    flagsFile: z
      .string()
      .min(1)
      .optional()
      .describe("source file: the document of flags, which may be missing; config/SERVICE.flags.json if not set"),
    flagsKey: z
      .string()
      .min(1)
      .max(512)
      .optional()
      .describe(
        "source etcd or consul: the key of the flags, which may be missing; plumbline/flags/SERVICE.json if not set",
      ),
    optional: z
      .boolean()
      .default(false)
      .describe("a document that is missing at the start has no settings, instead of being an error"),
    cacheFile: z
      .string()
      .min(1)
      .optional()
      .describe("source etcd or consul: keeps the last valid document, for a start while the store is away"),
    ...storeSettings(),
  })
  .superRefine(({ source, etcd, consul }, context) => {
    const refuse = (path: string[], message: string): void => context.addIssue({ code: "custom", path, message });
    if (source === "etcd" && etcd.endpoints === undefined) refuse(["etcd", "endpoints"], "required by the source etcd");
    if (source === "consul" && consul.url === undefined) refuse(["consul", "url"], "required by the source consul");
  });

/** Returns the prefix of the variables that choose the source: ORDERS_CONFIG. */
export function configPrefix(name: string): string {
  return `${settingsPrefix(name)}_CONFIG`;
}
