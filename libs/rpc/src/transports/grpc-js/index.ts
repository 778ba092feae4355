import { setLogger } from "@grpc/grpc-js";
import type { Transport } from "../../transport.ts";
import { connect } from "./client.ts";
import { listen } from "./server.ts";

// Its errors reach us as errors. Printed too, they would stand between the log's JSON lines. Other
// lines are printed only if GRPC_VERBOSITY or GRPC_TRACE ask for them.
const print = (...parts: unknown[]): void => console.error(...parts);
setLogger({ error: () => {}, info: print, debug: print });

/** HTTP/2 by @grpc/grpc-js, the compatible choice. */
export const grpcJs: Transport = { connect, listen };
