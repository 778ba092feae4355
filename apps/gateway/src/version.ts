/** The version of the gateway and of the API it describes. */
export const version = "0.1.0";
