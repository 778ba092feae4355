import { setLogger } from "@grpc/grpc-js";
import type { Transport } from "../../transport.ts";
import { connect } from "./client.ts";
import { listen } from "./server.ts";

// What it calls errors reaches us as errors: printed as well, they would stand among the log's JSON lines. The rest is
// printed only when GRPC_VERBOSITY or GRPC_TRACE ask for it.
const print = (...parts: unknown[]): void => console.error(...parts);
setLogger({ error: () => {}, info: print, debug: print });

/** HTTP/2 by @grpc/grpc-js, the compatible choice. */
export const grpcJs: Transport = { connect, listen };
