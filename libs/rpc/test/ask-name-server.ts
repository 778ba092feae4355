/**
 * Imported before grpc-js, which reads this once: names are asked of a target's authority, not of
 * this machine.
 */
process.env["GRPC_NODE_USE_ALTERNATIVE_RESOLVER"] = "true";
