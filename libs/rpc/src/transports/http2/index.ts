import type { Transport } from "../../transport.ts";
import { connect } from "./client.ts";
import { listen } from "./server.ts";

/** HTTP/2 framed in JavaScript (libs/http2), the lean choice. */
export const http2: Transport = { connect, listen };
