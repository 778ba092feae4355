/** The certificates of tests, of two authorities that live as long as the process. */
import { type CertificateRequest, type Certified, newAuthority } from "@plumbline/tools-engines";

const authority = newAuthority("Plumbline tests");
const other = newAuthority("Someone else");

const here = { dnsNames: ["localhost"], addresses: ["127.0.0.1"] };
const dayMs = 86_400_000;
const past = { from: new Date(Date.now() - 2 * dayMs), to: new Date(Date.now() - dayMs) };

const issue = (name: string, request: Omit<CertificateRequest, "name">): Certified =>
  authority.issue({ name, ...request });
const identified = (name: string, ...uris: readonly string[]): Certified => issue(name, { uris });

export const ca = authority.certificate;
/** An authority other than `ca`. */
export const otherCa = other.certificate;

export const server = issue("server", here);
/** The replacement of `server`. */
export const nextServer = issue("nextServer", here);
export const expired = issue("expired", { ...here, ...past });
/** For another host. */
export const elsewhere = issue("elsewhere", { dnsNames: ["elsewhere.test"] });

const client = { dnsNames: ["client.test"] };
export const caller = issue("caller", client);
/** A client of `otherCa`. */
export const stranger = other.issue({ name: "stranger", ...client });

const gatewayId = "spiffe://plumbline.test/gateway";
const workerId = "spiffe://plumbline.test/worker";
export const gateway = identified("gateway", gatewayId);
export const worker = identified("worker", workerId);
export const twoUris = identified("twoUris", gatewayId, workerId);
export const otherDomain = identified("otherDomain", "spiffe://other.test/gateway");
export const rootPath = identified("rootPath", "spiffe://plumbline.test/");
export const overHttp = identified("overHttp", "http://plumbline.test/gateway");
/** Those of `gateway` that no client accepts: of another authority, expired, for clients only. */
export const foreign = other.issue({ name: "foreign", uris: [gatewayId] });
export const expiredGateway = issue("expiredGateway", { uris: [gatewayId], ...past });
export const clientOnly = issue("clientOnly", { uris: [gatewayId], usages: ["client"] });
/** Its one name is a DNS name that looks like a URI. */
export const disguised = issue("disguised", { dnsNames: [gatewayId] });
