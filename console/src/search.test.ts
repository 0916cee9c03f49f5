import { expect, test } from "vitest";
import { inventorySearch, loginSearch, parseSearch, stringifySearch } from "./search.ts";

test("a login never leads to another site", () => {
  expect(loginSearch({ next: "//evil.example" }).next).toBeUndefined();
  expect(loginSearch({ next: "https://evil.example" }).next).toBeUndefined();
  expect(loginSearch({ next: "/items/1" }).next).toBe("/items/1");
});

test("a state that does not exist is dropped", () => {
  expect(inventorySearch({ state: "dead", class: "host" })).toMatchObject({ state: undefined, class: "host" });
});

test("addresses survive a round trip", () => {
  const search = { q: 'os_name:"Debian 12"', columns: "a,b", class: "host" };
  expect(parseSearch(stringifySearch(search))).toEqual(search);
  expect(stringifySearch({ class: "", q: undefined })).toBe("");
});

test("a number in the address stays a text", () => {
  expect(parseSearch("?q=123")).toEqual({ q: "123" });
});
