// Fails on physical directions in styles and scripts: right-to-left pages must mirror by themselves.
import { readFile, readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../src", import.meta.url));
const CSS = /(^|[\s;{])(left|right|(margin|padding|border)-(left|right)[a-z-]*|border-(top|bottom)-(left|right)-radius)\s*:|text-align:\s*(left|right)|float:\s*(left|right)/;
const TSX = /\b(marginLeft|marginRight|paddingLeft|paddingRight|borderLeft|borderRight)\b|\b(left|right):\s*["'`\d]|className="[^"]*\b(m|p)(l|r)-\d/;
const ANY = /[:<]\s*any\b|\bas any\b/;
// Longest component file; a longer one is two components.
const LINES_MAX = 150;
const failures = [];

for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.(css|tsx?)$/.test(entry.name)) continue;
  const path = join(entry.parentPath ?? entry.path, entry.name);
  const lines = (await readFile(path, "utf8")).split("\n");
  const name = relative(root, path);
  if (name.endsWith(".tsx") && lines.length > LINES_MAX) failures.push(`${name}: ${lines.length} lines, at most ${LINES_MAX}`);
  lines.forEach((line, index) => {
    const where = `${name}:${index + 1}: ${line.trim()}`;
    if (name.endsWith(".css") && CSS.test(line)) failures.push(`physical direction: ${where}`);
    if (/\.tsx?$/.test(name) && TSX.test(line)) failures.push(`physical direction: ${where}`);
    if (/\.tsx?$/.test(name) && !name.endsWith(".test.ts") && ANY.test(line)) failures.push(`any: ${where}`);
  });
}
for (const failure of failures) console.error(failure);
process.exit(failures.length > 0 ? 1 : 0);
