/** A class of kafkajs that its own types leave out. */
declare module "kafkajs/src/network/requestQueue/index.js" {
  const RequestQueue: { readonly prototype: { scheduleCheckPendingRequests(): void } };
  export default RequestQueue;
}
