import { constants } from "node:crypto";

/**
 * The TLS options of both sides. TLS 1.2 is restricted as RFC 9113 (9.2) requires: forward secrecy,
 * authenticated encryption, no renegotiation. TLS 1.3 needs no restriction.
 */
export const tlsDefaults = {
  ALPNProtocols: ["h2"],
  minVersion: "TLSv1.2",
  ciphers: [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
  ].join(":"),
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const;

/** The time from connecting to the end of the handshake. */
export const handshakeMs = 10_000;
