/** Shares of clients: the key that a client is counted under, and who may name it. */
export { addressKey, addressList, plainAddress } from "./address.ts";
export { defaultTrustedPeers, ShareKeys, type SharePeer, shareKeyName } from "./share-keys.ts";
