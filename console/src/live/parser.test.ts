import { expect, test } from "vitest";
import { eventParser } from "./parser.ts";

test("an event cut anywhere arrives once and whole", () => {
  const text = 'id: 7\nevent: change\ndata: {"revision":7,\ndata: "changes":[]}\n\n: ping\n\nevent: ping\ndata: {}\n\n';
  for (let cut = 1; cut < text.length; cut += 1) {
    const parse = eventParser();
    const events = [...parse(text.slice(0, cut)), ...parse(text.slice(cut))];
    expect(events).toHaveLength(2);
    expect(events[0]).toEqual({ event: "change", id: "7", data: '{"revision":7,\n"changes":[]}' });
    expect(events[1]?.event).toBe("ping");
    expect(events[1]?.id).toBe("7");
  }
});

test("carriage returns end lines too, also across chunks", () => {
  const parse = eventParser();
  expect(parse("data: a\r")).toEqual([]);
  expect(parse("\n\r\n")).toEqual([{ event: "message", id: "", data: "a" }]);
});

test("a comment alone is no event", () => {
  expect(eventParser()(": keep alive\n\n")).toEqual([]);
});
