import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { formatMessage } from "./format.ts";
import { en } from "./en.ts";

test("a missing parameter stays visible", () => {
  expect(formatMessage("en", "Hello {name}.")).toBe("Hello {name}.");
});

test("a plural takes the case of the language", () => {
  const message = "{count, plural, one {# item} other {# items}} in {place}";
  expect(formatMessage("en", message, { count: 1, place: "fra1" })).toBe("1 item in fra1");
  expect(formatMessage("en", message, { count: 12431, place: "fra1" })).toBe("12,431 items in fra1");
});

test("an exact case wins over the rule", () => {
  expect(formatMessage("en", "{n, plural, =0 {none} one {#} other {#}}", { n: 0 })).toBe("none");
});

test("every message of the catalogue has balanced braces", () => {
  for (const [key, message] of Object.entries(en)) {
    const opened = message.split("{").length;
    expect(message.split("}").length, key).toBe(opened);
  }
});

test("every message is used", () => {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const names = readdirSync(root, { recursive: true, encoding: "utf8" });
  const sources = names.filter((name) => /\.tsx?$/.test(name) && !name.endsWith("messages/en.ts"));
  const text = sources.map((name) => readFileSync(join(root, name), "utf8")).join("\n");
  const prefixes = [...text.matchAll(/`([\w.]+\.)\$\{/g)].map((match) => match[1] ?? "");
  const isUsed = (key: string) => text.includes(`"${key}"`) || prefixes.some((prefix) => key.startsWith(prefix));
  expect(Object.keys(en).filter((key) => !isUsed(key))).toEqual([]);
});
