import { conformance } from "../conformance.ts";

conformance({ server: "grpc-js", client: "grpc-js" });
