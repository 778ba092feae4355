import { conformance } from "../conformance.ts";

conformance({ server: "http2", client: "http2" });
