import type { TransportName } from "../../src/transports/index.ts";

/** Cases of the suite that fail, by a pattern of their names, and why. */
export interface KnownFailing {
  readonly cases: string;
  readonly why: string;
}

/** The answer of these cases repeats the request, so it is larger than the request. */
const messageSize: readonly KnownFailing[] = [
  {
    cases: "Server Message Size/**/request-equal-to-server-limit",
    why: "`maxMessageBytes` bounds messages in both directions, and the answer is above it",
  },
  {
    cases: "Server Message Size/**/all-requests-equal-to-server-limit",
    why: "the same, in streams",
  },
];

/** A case here that passes fails the test, so that the list stays true. */
export const knownFailing: Readonly<
  Record<"server" | "client", Readonly<Record<TransportName, readonly KnownFailing[]>>>
> = {
  server: {
    "grpc-js": [
      ...messageSize,
      {
        cases: "gRPC Unexpected Requests/**/unexpected-compression",
        why: "grpc-js takes the compressed message as it is, and it cannot be decoded then",
      },
    ],
    http2: messageSize,
  },
  client: { "grpc-js": [], http2: [] },
};
