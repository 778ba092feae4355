import { conformance } from "../conformance.ts";

conformance({ server: "grpc-js", client: "http2" });
