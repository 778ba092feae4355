import { X509Certificate } from "node:crypto";
import { type Config, contents, followConfig, type Schema, type Source, secret } from "@plumbline/config";
import type { Logger } from "@plumbline/telemetry";
import { z } from "zod";
import { type ClientTls, clientTls, type Pem, type ServerTls, serverTls } from "./options.ts";

/**
 * Certificates that are reloaded from their files until disposed. `current` is the `tls` of `serve`
 * and `connect`.
 */
export interface CertificateFiles<T> extends AsyncDisposable {
  readonly current: () => T;
}

/** Gets a line for each certificate that is loaded, and for each change that is refused. */
export type CertificateLogger = Pick<Logger, "info" | "warn" | "error">;

interface ServerFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly clientCaFile?: string | undefined;
}

interface ClientFiles {
  readonly caFile: string;
  readonly certificateFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

const text = z.string().min(1);
const ServerPem = z
  .object({ certificate: text, key: secret(), clientCa: text.optional() })
  .superRefine(usable((pem) => serverTls(serverOf(pem))));
const ClientPem = z
  .object({ ca: text, certificate: text.optional(), key: secret().optional() })
  .superRefine(usable((pem) => clientTls(clientOf(pem))));

/**
 * Loads a server's certificates and watches their files. Resolves with undefined without files.
 * Rejects with a `ConfigError` that names the files if they are invalid. Later changes that are
 * invalid are logged, and the last valid certificates stay in use.
 */
export async function followServerTls(
  files: ServerFiles | undefined,
  logger: CertificateLogger,
): Promise<CertificateFiles<ServerTls> | undefined> {
  if (files === undefined) return undefined;
  const { certificateFile, keyFile, clientCaFile } = files;
  const sources = [contents("certificate", certificateFile), contents("key", keyFile)];
  if (clientCaFile !== undefined) sources.push(contents("clientCa", clientCaFile));
  return await follow(ServerPem, sources, serverOf, logger);
}

/** Loads a client's certificates and watches their files, as `followServerTls` does. */
export async function followClientTls(
  files: ClientFiles | undefined,
  logger: CertificateLogger,
): Promise<CertificateFiles<ClientTls> | undefined> {
  if (files === undefined) return undefined;
  const { caFile, certificateFile, keyFile } = files;
  const sources = [contents("ca", caFile)];
  if (certificateFile !== undefined) sources.push(contents("certificate", certificateFile));
  if (keyFile !== undefined) sources.push(contents("key", keyFile));
  return await follow(ClientPem, sources, clientOf, logger);
}

function serverOf({ certificate, key, clientCa }: Config<typeof ServerPem>): ServerTls {
  return { certificate, key: key.reveal(), clientCa };
}

function clientOf({ ca, certificate, key }: Config<typeof ClientPem>): ClientTls {
  return { ca, certificate, key: key?.reveal() };
}

/** Applies the rules of `serve` and `connect`, so that they only get valid certificates. */
function usable<T>(check: (pem: T) => unknown): (pem: T, context: z.RefinementCtx) => void {
  return (pem, context) => {
    try {
      check(pem);
    } catch (error) {
      const [, key, message] = /^tls\.?(\w*): (?:expected )?(.*)$/s.exec((error as Error).message) ?? [];
      context.addIssue({ code: "custom", path: key ? [key] : [], message: message ?? String(error) });
    }
  };
}

async function follow<S extends Schema, T extends { readonly certificate?: Pem | undefined }>(
  schema: S,
  sources: readonly Source[],
  made: (pem: Config<S>) => T,
  logger: CertificateLogger,
): Promise<CertificateFiles<T>> {
  let current: T | undefined;
  const following = await followConfig(schema, sources, {
    onChange(config) {
      current = made(config);
      tell(current, logger);
    },
    onRefused: ({ message }) =>
      logger.warn("changed certificates are invalid; keeping the last valid ones", { problems: message }),
    onFailure: (error) => logger.error("certificate files are no longer watched", error),
  });
  return {
    current: () => current as T, // Set before followConfig resolves.
    [Symbol.asyncDispose]: () => following[Symbol.asyncDispose](),
  };
}

function tell({ certificate }: { readonly certificate?: Pem | undefined }, logger: CertificateLogger): void {
  if (certificate === undefined) return;
  const { subject, validTo } = new X509Certificate(certificate);
  logger.info("certificate loaded", {
    subject: subject.replaceAll("\n", ", "),
    validTo: new Date(validTo).toISOString(),
  });
}
