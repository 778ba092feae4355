import { X509Certificate } from "node:crypto";
import { type Config, contents, followConfig, type Schema, type Source, secret } from "@plumbline/config";
import type { Logger } from "@plumbline/telemetry";
import { z } from "zod";
import { type ClientTls, clientTls, type Pem, type ServerTls, serverTls } from "./options.ts";

/** Certificates that follow their files until disposed: what `serve` and `connect` take as `tls` is `current`. */
export interface CertificateFiles<T> extends AsyncDisposable {
  readonly current: () => T;
}

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
 * A server's certificates, from files. Undefined without any. Rejects with a `ConfigError` that names the files when they cannot be
 * used; while it runs what cannot be used is logged, and the last good ones stay.
 */
export async function followServerTls(
  files: ServerFiles | undefined,
  logger: Logger,
): Promise<CertificateFiles<ServerTls> | undefined> {
  if (files === undefined) return undefined;
  const { certificateFile, keyFile, clientCaFile } = files;
  const sources = [contents("certificate", certificateFile), contents("key", keyFile)];
  if (clientCaFile !== undefined) sources.push(contents("clientCa", clientCaFile));
  return await follow(ServerPem, sources, serverOf, logger);
}

/** A client's, the same way. */
export async function followClientTls(
  files: ClientFiles | undefined,
  logger: Logger,
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

/** The rules of `serve` and `connect`, so that what comes to them is in order. */
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
  logger: Logger,
): Promise<CertificateFiles<T>> {
  let current: T | undefined;
  const following = await followConfig(schema, sources, {
    onChange(config) {
      current = made(config);
      tell(current, logger);
    },
    onRefused: ({ message }) => logger.warn("certificates refused: the last good ones stay", { problems: message }),
    onFailure: (error) => logger.error("certificates are no longer followed", error),
  });
  return {
    current: () => current as T, // Set before followConfig resolves.
    [Symbol.asyncDispose]: () => following[Symbol.asyncDispose](),
  };
}

function tell({ certificate }: { readonly certificate?: Pem | undefined }, logger: Logger): void {
  if (certificate === undefined) return;
  const { subject, validTo } = new X509Certificate(certificate);
  logger.info("certificate in force", {
    subject: subject.replaceAll("\n", ", "),
    validTo: new Date(validTo).toISOString(),
  });
}
