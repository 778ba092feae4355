/** One block of a stream of Server-Sent Events. */
export interface StreamEvent {
  readonly event: string;
  readonly id?: string;
  readonly data: string;
  readonly comment?: string;
  readonly retry?: string;
}

/** Reads a text/event-stream block by block, comments and retry hints included. */
export async function* readEvents(response: Response): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      yield parse(text.slice(0, end));
      text = text.slice(end + 2);
    }
  }
  if (text !== "") throw new Error(`the stream ends within an event: ${text}`);
}

function parse(block: string): StreamEvent {
  const lines = block.split("\n").map((line) => /^([a-z]*): ?(.*)$/.exec(line));
  const value = (name: string): string | undefined => lines.find((line) => line?.[1] === name)?.[2];
  const id = value("id");
  const comment = value("");
  const retry = value("retry");
  return {
    event: value("event") ?? "message",
    data: value("data") ?? "",
    ...(id !== undefined && { id }),
    ...(comment !== undefined && { comment }),
    ...(retry !== undefined && { retry }),
  };
}

/** Reads all blocks of a stream that ends. */
export async function allEvents(response: Response): Promise<StreamEvent[]> {
  return Array.fromAsync(readEvents(response));
}
