import { expect, test } from "vitest";
import { parseQuery, queryParams } from "./query.ts";

test("an address with a port is a word, not a condition", () => {
  expect(parseQuery("127.0.0.1:443")).toEqual({ text: "127.0.0.1:443", conditions: [] });
});

test("words and conditions mix in any order", () => {
  expect(parseQuery('nginx os_name:"Debian 12" pid>=100')).toEqual({
    text: "nginx",
    conditions: [
      { name: "os_name", operator: ":", value: "Debian 12" },
      { name: "pid", operator: ">=", value: "100" },
    ],
  });
});

test("an open quote loses nothing", () => {
  expect(parseQuery('name:"open').conditions).toEqual([{ name: "name", operator: ":", value: "open" }]);
});

test("conditions become parameters of the API", () => {
  expect(queryParams("web manager=dpkg state!=up")).toEqual({ text: "web", q_manager: "dpkg", q_state: "!up" });
});

test("an empty box asks for everything", () => {
  expect(queryParams("  ")).toEqual({ text: "" });
});
