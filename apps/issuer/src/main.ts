/**
 * The issuer as a process. Settings: ISSUER_HOST, _PORT, _URL, _HOSTS, _CERTIFICATE_FILE,
 * _KEY_FILE, _AUDIENCE, _TOKEN_SECONDS, _FOLDER, _GRACE_MS.
 */
import { once } from "node:events";
import { ConfigError } from "@plumbline/config";
import { followServerTls } from "@plumbline/rpc/tls-files";
import { startIssuer } from "./start-issuer.ts";

const stop = Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);

try {
  const files = tlsFiles(process.env.ISSUER_CERTIFICATE_FILE, process.env.ISSUER_KEY_FILE);
  await using certificates = await followServerTls(files, {
    info: (message, fields) => console.log("issuer:", message, fields),
    warn: (message, fields) => console.error("issuer:", message, fields),
    error: (message, error) => console.error("issuer:", message, error),
  });
  await using issuer = await startIssuer({
    host: process.env.ISSUER_HOST ?? "127.0.0.1",
    port: whole("PORT", 8_091, { least: 0, most: 65_535 }),
    url: process.env.ISSUER_URL,
    hosts: process.env.ISSUER_HOSTS?.split(","),
    tls: certificates?.current,
    audience: process.env.ISSUER_AUDIENCE,
    tokenSeconds: whole("TOKEN_SECONDS", 3_600, { least: 60, most: 86_400 }),
    folder: process.env.ISSUER_FOLDER,
    graceMs: whole("GRACE_MS", 5_000, { least: 0, most: 60_000 }),
  });
  console.log(`issuer for development, whose tokens anybody may get, is ${issuer.url}, on port ${issuer.port}`);
  await stop;
} catch (error) {
  console.error(`issuer: ${explained(error)}`);
  process.exitCode = 1;
}

function tlsFiles(certificateFile: string | undefined, keyFile: string | undefined) {
  if (certificateFile === undefined && keyFile === undefined) return undefined;
  if (certificateFile === undefined || keyFile === undefined) {
    throw new RangeError("ISSUER_CERTIFICATE_FILE and ISSUER_KEY_FILE: expected both or none");
  }
  return { certificateFile, keyFile };
}

function whole(name: string, preset: number, { least, most }: { least: number; most: number }): number {
  const text = process.env[`ISSUER_${name}`];
  if (text === undefined) return preset;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw new RangeError(`ISSUER_${name}: expected ${least} to ${most}, found ${JSON.stringify(text)}`);
  }
  return value;
}

function explained(error: unknown): string {
  const { code, port } = error as NodeJS.ErrnoException & { port?: number };
  if (code === "EADDRINUSE") return `port ${port} is taken: end the other process or set ISSUER_PORT`;
  return error instanceof RangeError || error instanceof ConfigError
    ? error.message
    : String((error as Error)?.stack ?? error);
}
