import { expect, test } from "vitest";
import type { AttributeDefinition } from "../api/types.ts";
import { formatAge, formatBytes, formatSeconds, formatUnit, formatValue } from "./format.ts";

const attribute = (name: string, rest: Partial<AttributeDefinition>): AttributeDefinition => ({
  name,
  label: name,
  doc: "",
  kind: "count",
  unit: "",
  nature: "fact",
  ...rest,
});

test("none is told in words, and so is an empty text", () => {
  expect(formatValue(null)).toBe("none");
  expect(formatValue("")).toBe("none");
});

test("sizes have binary units", () => {
  expect(formatBytes(1023)).toBe("1,023 B");
  expect(formatBytes(1024)).toBe("1 KiB");
  expect(formatBytes(16_777_216_000)).toBe("15.6 GiB");
});

test("durations show their two largest parts", () => {
  expect(formatSeconds(59)).toBe("59 s");
  expect(formatSeconds(3600)).toBe("1 h");
  expect(formatSeconds(273_600)).toBe("3 d 4 h");
});

test("an MTU is told exactly", () => {
  expect(formatValue(1500, attribute("mtu_bytes", { unit: "bytes" }))).toBe("1,500 B");
});

test("rates step by thousands", () => {
  expect(formatUnit(1_000_000_000, "bits_per_second")).toBe("1 Gbit/s");
  expect(formatUnit(2_595_000_000, "hertz")).toBe("2.6 GHz");
});

test("an identifier gets no thousands separator", () => {
  expect(formatValue(65534, attribute("uid", {}))).toBe("65534");
  expect(formatValue(65534, attribute("packets_count", {}))).toBe("65,534");
});

test("lists and records become one line", () => {
  expect(formatValue(["a", "b"])).toBe("a, b");
  expect(formatValue({ spectre: "mitigated", count: 2 })).toBe("spectre: mitigated, count: 2");
});

test("ages are told in the largest whole unit", () => {
  const now = Date.parse("2026-01-02T00:00:00Z");
  expect(formatAge("2026-01-01T22:00:00Z", now)).toBe("2h ago");
  expect(formatAge("2026-01-01T23:59:58Z", now)).toBe("just now");
  expect(formatAge("2026-01-02T00:05:00Z", now)).toBe("in 5m");
});
