/** The version of this release, in metrics, traces and the description of the API. */
export const version = "0.1.0";
