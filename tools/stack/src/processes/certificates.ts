import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newAuthority } from "@plumbline/tools-engines";
import { ownServices } from "../services.ts";

/** The trust domain of every stack here. It is no name on any network. */
const trustDomain = "plumbline.internal";

/** Returns the SPIFFE id of a service. In a cluster that is the name of its objects. */
export function identityOf(service: string): string {
  return `spiffe://${trustDomain}/${service}`;
}

/** The files of a service's certificate. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
  /** The authority of all services. */
  readonly ca: string;
}

export function certificateFiles(folder: string, service: string): CertificateFiles {
  return {
    certificate: join(folder, service, "tls.crt"),
    key: join(folder, service, "tls.key"),
    ca: join(folder, "ca.crt"),
  };
}

/**
 * Writes a certificate for each of our services, by an authority that is new each time. Its key is
 * written nowhere.
 */
export function writeCertificates(folder: string): void {
  const authority = newAuthority("Plumbline development");
  for (const { name } of ownServices) {
    const files = certificateFiles(folder, name);
    const names = { uris: [identityOf(name)], dnsNames: ["localhost"], addresses: ["127.0.0.1"] };
    const { certificate, key } = authority.issue({ name, ...names });
    mkdirSync(join(folder, name), { recursive: true, mode: 0o700 });
    writeFileSync(files.key, key, { mode: 0o600 });
    writeFileSync(files.certificate, certificate);
  }
  writeFileSync(join(folder, "ca.crt"), authority.certificate);
}
