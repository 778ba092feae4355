export { type Peer, peer } from "./peer.ts";
