import type { Transport } from "../transport.ts";
import { connect } from "./client.ts";
import { listen } from "./server.ts";

/** HTTP/2 by @grpc/grpc-js, the compatible choice. */
export const grpcJs: Transport = { connect, listen };
