import { type RpcServer, type ServeOptions, type ServeParts, serve } from "@plumbline/rpc";
import { followServerTls } from "@plumbline/rpc/settings";

/** The files of a server's certificates, from `serverSettings`. */
interface TlsFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly clientCaFile?: string | undefined;
}

/** Serves RPC. Certificates are read again when their files change. */
export async function serveRpc(
  parts: ServeParts,
  { tls, ...options }: Omit<ServeOptions, "tls"> & { readonly tls?: TlsFiles | undefined },
): Promise<Pick<RpcServer, "port" | "recycle"> & AsyncDisposable> {
  await using opened = new AsyncDisposableStack();
  const certificates = opened.use(await followServerTls(tls, parts.telemetry.logger));
  const { port, recycle } = opened.use(await serve(parts, { ...options, tls: certificates?.current }));
  const owned = opened.move();
  return { port, recycle, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
