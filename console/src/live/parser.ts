/** Parser of `text/event-stream`, fed with chunks as they arrive. */

export interface StreamEvent {
  event: string;
  id: string;
  data: string;
}

/** Longest unfinished line; a server that sends more is not ours. */
const LINE_CHARACTERS_MAX = 8_000_000;

/** Returns a function that takes a chunk and gives the events that it completes. */
export function eventParser(): (chunk: string) => StreamEvent[] {
  let rest = "";
  let event = "";
  let id = "";
  let data: string[] = [];
  const line = (text: string, found: StreamEvent[]): void => {
    if (text === "") {
      if (data.length > 0) found.push({ event: event || "message", id, data: data.join("\n") });
      event = "";
      data = [];
      return;
    }
    const colon = text.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (name === "event") event = value;
    if (name === "id") id = value;
    if (name === "data") data.push(value);
  };
  return (chunk) => {
    const found: StreamEvent[] = [];
    // A CR at the very end waits: its LF may come with the next chunk.
    const text = (rest + chunk).replace(/\r\n/g, "\n").replace(/\r(?!$)/g, "\n");
    const lines = text.split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LINE_CHARACTERS_MAX) throw new Error("event line too long");
    for (const text of lines) line(text, found);
    return found;
  };
}
