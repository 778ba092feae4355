import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { ServiceError } from "@plumbline/errors";
import { z } from "zod";

/** The means to reach an API server, as they are now. Files are read again for each request. */
export interface Access {
  /** "https://10.96.0.1" */
  readonly url: string;
  /** The namespace of names that name none. */
  readonly namespace: string;
  /** The authority of the server's certificate; those that come with Node if not given. */
  readonly ca?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  readonly token?: string | undefined;
  /** The name that the server's certificate must have, if it is not the URL's. */
  readonly serverName?: string | undefined;
}

/** Returns the access as it is now. Rejects with `failed_precondition` if it cannot be read. */
export type ReadAccess = () => Promise<Access>;

const account = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * Returns the access of a pod by its service account. The token is replaced about every hour, and
 * read again for each request.
 */
export function inCluster(environment: NodeJS.ProcessEnv = process.env, folder: string = account): ReadAccess {
  return async () => {
    const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = "443" } = environment;
    if (host === undefined) {
      throw unusable("the variable KUBERNETES_SERVICE_HOST is not set: this is no pod, so name a kubeconfig");
    }
    const [token, ca, namespace] = await Promise.all(["token", "ca.crt", "namespace"].map((name) => text(name)));
    return {
      url: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
      namespace: namespace?.trim() ?? "default",
      ca,
      token: token?.trim(),
    };
  };

  function text(name: string): Promise<string> {
    return read(resolve(folder, name), "the service account is not mounted (automountServiceAccountToken)");
  }
}

const named = <T extends z.ZodRawShape>(shape: T) => z.array(z.object({ name: z.string(), ...shape })).default([]);

const User = z.object({
  "client-certificate": z.string().optional(),
  "client-certificate-data": z.string().optional(),
  "client-key": z.string().optional(),
  "client-key-data": z.string().optional(),
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  exec: z.undefined("programs that make credentials are not supported: use a token or a certificate").optional(),
});
type Credentials = Partial<z.output<typeof User>>;

const Kubeconfig = z.object({
  "current-context": z.string().min(1),
  contexts: named({
    context: z.object({ cluster: z.string(), user: z.string().optional(), namespace: z.string().optional() }),
  }),
  clusters: named({
    cluster: z.object({
      server: z.url({ protocol: /^https?$/ }),
      "certificate-authority": z.string().optional(),
      "certificate-authority-data": z.string().optional(),
      "tls-server-name": z.string().optional(),
      "insecure-skip-tls-verify": z.literal(false).optional(),
    }),
  }),
  users: named({ user: User }),
});

/** Returns the access of a kubeconfig's current context, by client certificate or token. */
export function kubeconfig(path: string): ReadAccess {
  return async () => {
    const source = await read(path, "name a kubeconfig that this process may read");
    let document: unknown;
    // Pods do without it, and have little memory.
    const { parse } = await import("yaml");
    try {
      document = parse(source);
    } catch (error) {
      // The parser's own words quote the text, which has keys in it.
      throw unusable(`${path} is no YAML`, { cause: (error as Error).name });
    }
    const parsed = Kubeconfig.safeParse(document);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw unusable(`${path}: ${issue?.path.join(".")}: ${issue?.message}`);
    }
    const { contexts, clusters, users, "current-context": current } = parsed.data;
    const context = find("context", contexts, current).context;
    const cluster = find("cluster", clusters, context.cluster).cluster;
    const user: Credentials = context.user === undefined ? {} : find("user", users, context.user).user;
    const pem = async (from: Readonly<Record<string, unknown>>, name: string): Promise<string | undefined> => {
      const data = from[`${name}-data`];
      if (typeof data === "string") return Buffer.from(data, "base64").toString();
      const file = from[name];
      return typeof file === "string" ? await read(resolve(dirname(path), file), `${path} names it`) : undefined;
    };
    return {
      url: cluster.server.replace(/\/+$/, ""),
      namespace: context.namespace ?? "default",
      serverName: cluster["tls-server-name"],
      ca: await pem(cluster, "certificate-authority"),
      certificate: await pem(user, "client-certificate"),
      key: await pem(user, "client-key"),
      token:
        user.tokenFile === undefined ? user.token : (await read(resolve(dirname(path), user.tokenFile), path)).trim(),
    };

    function find<T extends { readonly name: string }>(kind: string, all: readonly T[], name: string): T {
      const found = all.find((one) => one.name === name);
      if (found === undefined) throw unusable(`${path} has no ${kind} ${JSON.stringify(name)}`);
      return found;
    }
  };
}

async function read(path: string, hint: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw unusable(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code}; ${hint}`, { cause: error });
  }
}

function unusable(message: string, options: { readonly cause?: unknown } = {}): ServiceError {
  return new ServiceError("failed_precondition", message, options);
}
