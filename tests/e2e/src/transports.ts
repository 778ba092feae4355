import { givenTransport, transports as known, type Transport } from "@plumbline/tools-stack";

/**
 * The transports that the key journeys run on: both, or the one that `PLUMBLINE_TRANSPORT` names. What carries the calls
 * must not be seen from outside. Other tests run on that one, or on the services' own default.
 */
export const transports: readonly Transport[] = ((given) => (given === undefined ? known : [given]))(givenTransport());
