export { type Peer, peer, whyNoPeers } from "./peer.ts";
