import { conformance } from "../../conformance/index.ts";

conformance({ server: "http2", client: "http2" });
conformance({ server: "http2", client: "grpc-js" });
conformance({ server: "grpc-js", client: "http2" });
