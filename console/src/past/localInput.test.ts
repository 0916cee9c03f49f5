import { expect, test } from "vitest";
import { localInput } from "./localInput.ts";

test("a moment survives the way into the control and back, to the second", () => {
  const at = "2026-03-29T01:30:07.123Z";
  expect(new Date(localInput(at)).toISOString()).toBe("2026-03-29T01:30:07.000Z");
});
