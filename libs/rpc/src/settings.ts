/**
 * Settings of services that serve or make calls: sections of their schemas, and their certificates.
 */
import { durationMs, port } from "@plumbline/config";
import { z } from "zod";
import { trustDomainOf } from "./identity/spiffe.ts";
import { SpiffeIds } from "./identity/spiffe-ids.ts";
import { addressList } from "./shares/address.ts";
import { defaultTrustedPeers } from "./shares/share-keys.ts";
import { defaultTransport, transportNames } from "./transports/index.ts";

export { type CertificateFiles, type CertificateLogger, followClientTls, followServerTls } from "./tls/files.ts";
export { balancings } from "./transport.ts";

const pem = (what: string) => z.string().min(1).describe(`a PEM file, reloaded when it changes: ${what}`);

/** Returns the section `rpc` of a service that serves calls. */
export function serverSettings(preset: { readonly port: number; readonly maxConnectionAgeGraceMs: number }) {
  return z.object({
    host: z.string().default("0.0.0.0"),
    port: port(preset.port),
    transport: z.enum(transportNames).default(defaultTransport).describe("the gRPC transport"),
    maxConcurrent: z
      .int()
      .min(1)
      .max(100_000)
      .default(1_000)
      .describe("unary calls in flight; more are shed as unavailable"),
    maxConcurrentPerClient: z
      .int()
      .min(1)
      .max(100_000)
      .default(250)
      .describe("unary calls in flight of one client; more end with resource_exhausted"),
    maxStreams: z.int().min(1).max(100_000).default(1_000).describe("streams in flight; more are shed as unavailable"),
    maxStreamsPerClient: z
      .int()
      .min(1)
      .max(100_000)
      .default(250)
      .describe("streams in flight of one client; more end with resource_exhausted"),
    adaptive: z
      .boolean()
      .default(false)
      .describe("shed unary calls below that limit too, while they are slow or cannot meet their deadline"),
    maxConnections: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(10_000)
      .describe("connections at once; the oldest one without a call is closed for more"),
    connectionsPerPeer: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(100)
      .describe("connections of one address that is not among trustedPeers"),
    reflection: z.boolean().default(true).describe("answers reflection, by which tools read the service's protos"),
    trustedPeers: z
      .string()
      .default(defaultTrustedPeers)
      .refine(isAddressList, "expected addresses, subnets, loopback, linklocal or uniquelocal, with commas")
      .describe("callers that speak for the client they name: addresses and subnets, with commas; none if empty"),
    principalPeers: z
      .string()
      .default("")
      .refine(isAddressList, "expected addresses, subnets, loopback, linklocal or uniquelocal, with commas")
      .describe(
        "callers that are believed about who calls: addresses and subnets, with commas; everybody may call everything if empty",
      ),
    callers: spiffeIds().describe(
      "SPIFFE ids of callers, by their certificates, with commas: others may only check health; in the place of principalPeers",
    ),
    maxHeldBytes: z
      .int()
      .min(1024 * 1024)
      .max(2 ** 31)
      .optional()
      .describe("octets held for callers; a sixth of the container's memory, from 8 to 64 MiB, if not given"),
    maxConnectionAgeMs: durationMs(300_000).describe(
      "connections are closed at this age, give or take a tenth, so that clients find new replicas; 0: never",
    ),
    maxConnectionAgeGraceMs: durationMs(preset.maxConnectionAgeGraceMs).describe(
      "the time that calls and streams on such a connection have to end",
    ),
    tls: z
      .object({
        certificateFile: pem("the certificate, then those that lead to its authority; enables TLS"),
        keyFile: pem("the certificate's private key, not encrypted"),
        clientCaFile: pem("authorities of client certificates, which are then required").optional(),
      })
      .optional(),
  });
}

function isAddressList(list: string): boolean {
  try {
    if (list !== "") addressList(list);
    return true;
  } catch {
    return false;
  }
}

function isIdList(list: string): boolean {
  try {
    if (list !== "") void new SpiffeIds("ids", list);
    return true;
  } catch {
    return false;
  }
}

/** Returns a setting that lists SPIFFE ids; none if empty. */
export function spiffeIds() {
  return z
    .string()
    .default("")
    .refine(isIdList, "expected SPIFFE ids of one trust domain, such as spiffe://example.org/gateway, with commas");
}

/** Returns a setting that is one SPIFFE id. */
export function spiffeId() {
  return z
    .string()
    .refine((id) => trustDomainOf(id) !== undefined, "expected a SPIFFE id, such as spiffe://example.org/gateway");
}

/** Returns the TLS section of a service that makes calls. */
export function clientTlsSettings() {
  return z
    .object({
      caFile: pem("the trusted authorities; enables TLS"),
      certificateFile: pem("the certificate that is shown to servers that require one").optional(),
      keyFile: pem("the certificate's private key, not encrypted").optional(),
    })
    .refine(({ certificateFile, keyFile }) => (certificateFile === undefined) === (keyFile === undefined), {
      path: ["keyFile"],
      message: "expected both certificateFile and keyFile, or neither",
    })
    .optional();
}
