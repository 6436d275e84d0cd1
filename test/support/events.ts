import { APP, SECRET, type TestGateway } from "./gateway.ts";

export interface ServerSentEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: string;
}

export interface EventReader {
  readonly response: Response;
  /** The next event, without comments. */
  next(): Promise<ServerSentEvent>;
  /** The lines of the next block, including comments. */
  nextBlock(): Promise<string>;
  close(): void;
}

/** Opens the event stream of a filter. */
export async function readEvents(
  gateway: Pick<TestGateway, "url">,
  filter: unknown,
  headers: Record<string, string> = {},
): Promise<EventReader> {
  const abort = new AbortController();
  const query = `filter=${encodeURIComponent(JSON.stringify(filter))}`;
  const response = await fetch(`${gateway.url}/v1/${APP}/presences/stream?${query}`, {
    headers: { authorization: `Bearer ${SECRET}`, ...headers },
    signal: abort.signal,
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  async function nextBlock(): Promise<string> {
    for (;;) {
      const end = text.indexOf("\n\n");
      if (end !== -1) {
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        return block;
      }
      const { done, value } = await reader.read();
      if (done) throw new Error("the stream has ended");
      text += value;
    }
  }
  return {
    response,
    nextBlock,
    async next() {
      for (;;) {
        const lines = (await nextBlock()).split("\n").filter((line) => !line.startsWith(":"));
        const field = (name: string) =>
          lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
        const data = field("data");
        if (data !== undefined) return { event: field("event") ?? "message", id: field("id"), data };
      }
    },
    close: () => abort.abort(),
  };
}
