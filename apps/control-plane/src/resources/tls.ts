import { dirname } from "node:path";
import type { CertificateRow, ClusterRow, ListenerRow } from "../document.ts";
import type { TransportSocket } from "../gen/envoy/config/core/v3/base.ts";
import { RawBuffer } from "../gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.ts";
import {
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
} from "../gen/envoy/extensions/transport_sockets/tls/v3/common.ts";
import { type SdsSecretConfig, Secret } from "../gen/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import {
  CommonTlsContext,
  DownstreamTlsContext,
  UpstreamTlsContext,
} from "../gen/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import { any, overAds } from "./values.ts";

const tls = "envoy.extensions.transport_sockets.tls.v3";
const rawBuffer = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";

/**
 * Returns the secrets of a certificate: its files, never their content. They are resources of their
 * own because Envoy reads the files again for those alone.
 */
export function secretsOf(name: string, row: CertificateRow): readonly Secret[] {
  const file = (path: string) => ({ specifier: { $case: "filename" as const, value: path } });
  const watched = (path: string) => ({ path: row.watchedDirectory ?? dirname(path) });
  const { certificate, authority } = secretNames(name);
  return [
    Secret.fromPartial({
      name: certificate,
      type: {
        $case: "tlsCertificate",
        value: {
          certificateChain: file(row.certificateFile),
          privateKey: file(row.keyFile),
          watchedDirectory: watched(row.certificateFile),
        },
      },
    }),
    Secret.fromPartial({
      name: authority,
      type: {
        $case: "validationContext",
        value: { trustedCa: file(row.caFile), watchedDirectory: watched(row.caFile) },
      },
    }),
  ];
}

/** Returns the names of a certificate's secrets. A name of the document has no slash. */
export function secretNames(name: string): { readonly certificate: string; readonly authority: string } {
  return { certificate: `${name}/certificate`, authority: `${name}/authority` };
}

/** Returns the socket of calls to servers with that id, which shows them the certificate. */
export function upstreamSocket({ certificate, id }: NonNullable<ClusterRow["tls"]>, alpn: string): TransportSocket {
  const context = UpstreamTlsContext.fromPartial({ commonTlsContext: contextOf(certificate, [id], alpn) });
  return socket("envoy.transport_sockets.tls", any(`${tls}.UpstreamTlsContext`, UpstreamTlsContext, context));
}

/** Returns the socket of a listener that lets clients with these ids in alone. */
export function downstreamSocket({ certificate, callers }: NonNullable<ListenerRow["tls"]>): TransportSocket {
  const context = DownstreamTlsContext.fromPartial({
    commonTlsContext: contextOf(certificate, callers, "h2"),
    requireClientCertificate: true,
  });
  return socket("envoy.transport_sockets.tls", any(`${tls}.DownstreamTlsContext`, DownstreamTlsContext, context));
}

/** Returns a socket without TLS. */
export function plainSocket(): TransportSocket {
  return socket("envoy.transport_sockets.raw_buffer", any(rawBuffer, RawBuffer, RawBuffer.fromPartial({})));
}

function contextOf(certificate: string, ids: readonly string[], alpn: string): CommonTlsContext {
  const names = secretNames(certificate);
  const secret = (name: string): SdsSecretConfig => ({ name, sdsConfig: overAds });
  return CommonTlsContext.fromPartial({
    // Without a maximum, clients stop at 1.2 in versions of Envoy.
    tlsParams: {
      tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
      tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
    },
    alpnProtocols: [alpn],
    tlsCertificateSdsSecretConfigs: [secret(names.certificate)],
    validationContextType: {
      $case: "combinedValidationContext",
      value: {
        defaultValidationContext: {
          matchTypedSubjectAltNames: ids.map((id) => ({
            sanType: SubjectAltNameMatcher_SanType.URI,
            matcher: { matchPattern: { $case: "exact" as const, value: id } },
          })),
        },
        validationContextSdsSecretConfig: secret(names.authority),
      },
    },
  });
}

function socket(name: string, value: ReturnType<typeof any>): TransportSocket {
  return { name, configType: { $case: "typedConfig", value } };
}
