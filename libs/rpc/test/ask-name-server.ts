/**
 * Imported before grpc-js, which reads this once: names are resolved by a target's authority, not
 * by this machine.
 */
process.env["GRPC_NODE_USE_ALTERNATIVE_RESOLVER"] = "true";
