/** Whether the text can be the id of an order: a version 7 UUID in its canonical form, lower case. */
export function isOrderId(text: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(text);
}
