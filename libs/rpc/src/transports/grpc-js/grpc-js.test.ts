import { conformance } from "../../conformance/index.ts";

conformance({ server: "grpc-js", client: "grpc-js" });
