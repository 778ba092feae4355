import { conformance } from "../conformance/index.ts";

conformance({ server: "grpc-js", client: "grpc-js", tls: true });
conformance({ server: "http2", client: "http2", tls: true });
conformance({ server: "http2", client: "grpc-js", tls: true });
conformance({ server: "grpc-js", client: "http2", tls: true });
