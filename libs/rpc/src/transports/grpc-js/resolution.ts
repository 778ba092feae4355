import { type ChannelOptions, experimental, Metadata, status } from "@grpc/grpc-js";
import type { Address } from "../../discovery/address.ts";
import { AddressWatch } from "../../discovery/address-watch.ts";
import type { Target } from "../../discovery/target.ts";
import type { ClientTransportOptions } from "../../transport.ts";

/**
 * The scheme of all targets, as grpc-js sees them. Its registry of resolvers belongs to the
 * process, so one is registered, and each channel brings its own addresses in an option.
 */
const scheme = "plumbline";

/** The channel option that carries a `Resolution`. Its prefix keeps it from the connections. */
const resolutionOption = `${experimental.SUBCHANNEL_ARGS_EXCLUDE_KEY_PREFIX}.plumbline.resolution`;

type Listener = (result: experimental.StatusOr<experimental.Endpoint[]>) => void;

/**
 * The addresses of a channel's target. They are watched from the first call on, also while grpc-js
 * has put its own part of the channel to sleep.
 */
export class Resolution implements AsyncDisposable {
  readonly #watch: AddressWatch;
  #hasAddresses = false;
  #listener: Listener | undefined;
  #last: experimental.StatusOr<experimental.Endpoint[]> | undefined;

  constructor({ resolver, name }: Target, { onResolution }: Pick<ClientTransportOptions, "onResolution">) {
    this.#watch = new AddressWatch(resolver, name, {
      changed: (addresses) => {
        this.#hasAddresses = addresses.length > 0;
        this.#say(experimental.statusOrFromValue(addresses.map(endpoint)));
        // For an empty list alone grpc-js lets calls wait until their deadline.
        if (!this.#hasAddresses) this.#fail(new Error("the name has no addresses"));
      },
      failed: (error) => {
        onResolution?.(error);
        if (!this.#hasAddresses) this.#fail(error);
      },
      recovered: () => onResolution?.(undefined),
    });
  }

  /** Returns the options of a grpc-js channel to `target`. */
  options(target: Target): ChannelOptions {
    return {
      [resolutionOption]: this,
      "grpc.default_authority": target.authority,
      "grpc.enable_http_proxy": 0,
    };
  }

  /** Starts the watch, and gives `listener` the last result if there is one. */
  attach(listener: Listener): void {
    this.#listener = listener;
    this.#watch.start();
    // A listener must not be called before this returns.
    queueMicrotask(() => {
      if (this.#listener === listener && this.#last !== undefined) listener(this.#last);
    });
  }

  detach(listener: Listener): void {
    if (this.#listener === listener) this.#listener = undefined;
  }

  lost(): void {
    this.#watch.lost();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#watch[Symbol.asyncDispose]();
  }

  #fail(error: unknown): void {
    const details = error instanceof Error ? error.message : String(error);
    this.#say(experimental.statusOrFromError({ code: status.UNAVAILABLE, details, metadata: new Metadata() }));
  }

  #say(result: experimental.StatusOr<experimental.Endpoint[]>): void {
    this.#last = result;
    this.#listener?.(result);
  }
}

/** Returns the string that grpc-js takes for a target, and makes a URL of. */
export function channelTarget({ authority }: Target): string {
  return `${scheme}:${authority}`;
}

function endpoint({ host, port }: Address): experimental.Endpoint {
  return { addresses: [{ host, port }] };
}

/** A resolver that passes the results of its channel's `Resolution` on. */
class PassingOn implements experimental.Resolver {
  readonly #resolution: Resolution;
  readonly #listener: Listener;
  #isAttached = false;

  constructor(_: experimental.GrpcUri, listener: experimental.ResolverListener, options: ChannelOptions) {
    this.#resolution = options[resolutionOption] as Resolution;
    this.#listener = (result) => void listener(result, {}, null, "");
  }

  /** Starts, or says that a connection was lost: grpc-js then asks for another resolution. */
  updateResolution(): void {
    if (this.#isAttached) return this.#resolution.lost();
    this.#isAttached = true;
    this.#resolution.attach(this.#listener);
  }

  destroy(): void {
    this.#isAttached = false;
    this.#resolution.detach(this.#listener);
  }

  static getDefaultAuthority({ path }: experimental.GrpcUri): string {
    return path;
  }
}

experimental.registerResolver(scheme, PassingOn);
