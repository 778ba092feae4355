/** The folder of all Secrets in a pod. */
export const secretsFolder = "/run/plumbline/secrets";

/** The port on which the agent says which versions it has written. */
export const agentPort = 9_480;
