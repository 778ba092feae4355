import { givenTransport, transports as known, type Transport } from "@plumbline/tools-stack";

/**
 * The transports of the key journeys: both, or the one that `PLUMBLINE_TRANSPORT` names. The
 * transport must not be visible from outside. Other tests run on that one, or on the services'
 * default.
 */
export const transports: readonly Transport[] = ((given) => (given === undefined ? known : [given]))(givenTransport());
