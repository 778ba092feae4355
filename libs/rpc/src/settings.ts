/** What services set about their calls: sections of their schemas, and the certificates behind them. */
import { durationMs, port } from "@plumbline/config";
import { z } from "zod";
import { transportNames } from "./transports/index.ts";

export { type CertificateFiles, followClientTls, followServerTls } from "./tls/files.ts";

const pem = (what: string) => z.string().min(1).describe(`a PEM file, read again when it changes: ${what}`);

/** The section `rpc` of a service that serves. */
export function serverSettings(preset: { readonly port: number; readonly maxConnectionAgeGraceMs: number }) {
  return z.object({
    host: z.string().default("0.0.0.0"),
    port: port(preset.port),
    transport: z.enum(transportNames).default("grpc-js").describe("carries the calls"),
    maxConcurrent: z.int().min(1).max(100_000).default(1_000).describe("calls at once; more are shed as unavailable"),
    adaptive: z
      .boolean()
      .default(false)
      .describe(
        "whether unary calls are shed below that too, while they are slower than without a queue or would come too late",
      ),
    maxConnectionAgeMs: durationMs(300_000).describe(
      "a connection then ends, give or take a tenth, so that clients find new replicas; 0: never",
    ),
    maxConnectionAgeGraceMs: durationMs(preset.maxConnectionAgeGraceMs).describe(
      "and the calls and streams on it may go on for this long",
    ),
    tls: z
      .object({
        certificateFile: pem(
          "the certificate, then those that lead to its authority; with it the port speaks TLS only",
        ),
        keyFile: pem("its key, not encrypted"),
        clientCaFile: pem("authorities; clients must then show a certificate that one of them has signed").optional(),
      })
      .optional(),
  });
}

/** A section of a service that calls others. */
export function clientTlsSettings() {
  return z
    .object({
      caFile: pem("the authorities whose certificates are trusted; with it calls go over TLS"),
      certificateFile: pem("what is shown to services that ask").optional(),
      keyFile: pem("its key, not encrypted").optional(),
    })
    .refine(({ certificateFile, keyFile }) => (certificateFile === undefined) === (keyFile === undefined), {
      path: ["keyFile"],
      message: "both certificateFile and keyFile, or none",
    })
    .optional();
}
