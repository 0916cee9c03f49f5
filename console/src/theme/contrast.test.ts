import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const css = readFileSync(new URL("../styles/tokens.css", import.meta.url), "utf8");

function tokens(theme: string): Map<string, string> {
  const begin = css.indexOf(`:root[data-theme="${theme}"] {`);
  const block = css.slice(begin, css.indexOf("}", begin));
  const found = block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g);
  return new Map([...found].map((match) => [match[1] ?? "", match[2] ?? ""]));
}

function luminance(color: string): number {
  const channels = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255);
  const [red = 0, green = 0, blue = 0] = channels.map((value) =>
    value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(first: string, second: string): number {
  const [light, dark] = [luminance(first), luminance(second)].sort((a, b) => b - a);
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05);
}

const TEXTS = ["text", "muted", "accent", "critical", "warning", "ok", "info", "unknown", "stale"];
const FILLS = ["critical", "warning", "ok", "info", "unknown", "stale"].map((name) => `${name}-fill`);
const SURFACES = ["surface", "surface-2", "surface-3"];

for (const theme of ["light", "dark", "contrast"]) {
  const token = tokens(theme);
  const pairs = (names: string[], surfaces: string[]) =>
    names.flatMap((name) => surfaces.map((surface) => [name, surface] as const));
  const ratio = (name: string, surface: string) =>
    contrast(token.get(name) ?? "#000000", token.get(surface) ?? "#000000");

  test(`text is AAA on every surface: ${theme}`, () => {
    for (const [name, surface] of pairs(TEXTS, SURFACES)) {
      expect(ratio(name, surface), `${name} on ${surface}`).toBeGreaterThanOrEqual(7);
    }
    for (const surface of ["accent-surface", "added", "removed", "flash"]) {
      expect(ratio("text", surface), `text on ${surface}`).toBeGreaterThanOrEqual(7);
    }
    expect(ratio("accent", "accent-surface")).toBeGreaterThanOrEqual(7);
    expect(ratio("on-accent", "accent")).toBeGreaterThanOrEqual(7);
  });

  test(`fills and strong borders pass 3:1 on every surface: ${theme}`, () => {
    for (const [name, surface] of pairs([...FILLS, "border-strong"], SURFACES)) {
      expect(ratio(name, surface), `${name} on ${surface}`).toBeGreaterThanOrEqual(3);
    }
  });
}
