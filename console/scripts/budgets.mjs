// Fails when the built console is heavier than it may be, or names another origin. Reads Vite's manifest.
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const dist = fileURLToPath(new URL("../dist", import.meta.url));
const KB = 1000;
const LIMITS = { "initial JS": 160 * KB, "initial CSS": 12 * KB, "route chunk": 50 * KB, "whole console, br": 1200 * KB };

const manifest = JSON.parse(await readFile(join(dist, ".vite/manifest.json"), "utf8"));
const gz = async (file) => gzipSync(await readFile(join(dist, file)), { level: 9 }).length;

const initial = new Set();
const css = new Set();
const visit = (key) => {
  const chunk = manifest[key];
  if (!chunk || initial.has(chunk.file)) return;
  initial.add(chunk.file);
  for (const file of chunk.css ?? []) css.add(file);
  for (const next of chunk.imports ?? []) visit(next);
};
visit("index.html");

const failures = [];
const check = (what, limit, bytes) => {
  const line = `${what}: ${(bytes / KB).toFixed(1)} KB of ${(LIMITS[limit] / KB).toFixed(0)} KB`;
  console.log(line);
  if (bytes > LIMITS[limit]) failures.push(line);
};

const sum = async (files) => (await Promise.all([...files].map(gz))).reduce((total, bytes) => total + bytes, 0);
check("initial JS, gz", "initial JS", (await sum([...initial].filter((file) => file.endsWith(".js")))) + (await gz("theme-init.js")));
const allCss = (await readdir(join(dist, "assets"))).filter((file) => file.endsWith(".css")).map((file) => `assets/${file}`);
check("initial CSS, gz", "initial CSS", await sum(new Set([...css, ...allCss])));
for (const chunk of Object.values(manifest)) {
  if (chunk.isDynamicEntry) check(`chunk ${chunk.name}, gz`, "route chunk", await gz(chunk.file));
}

let brotli = 0;
for (const entry of await readdir(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const path = join(entry.parentPath ?? entry.path, entry.name);
  if (entry.name.endsWith(".br")) brotli += (await stat(path)).size;
  if (!/\.(js|css|html)$/.test(entry.name)) continue;
  const text = await readFile(path, "utf8");
  // Namespaces and links in messages of libraries are names, not requests: only loading constructs count.
  const loads = text.match(/(?:src|href)="https?:[^"]*|url\(["']?https?:[^)]*|import\(["']https?:[^)]*|fetch\(["']https?:[^)]*/g);
  for (const load of loads ?? []) failures.push(`${entry.name} loads from elsewhere: ${load}`);
  if (entry.name === "index.html" && /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/.test(text)) failures.push("index.html has inline script or style");
}
check("whole console, br", "whole console, br", brotli);

for (const failure of failures) console.error(`over budget: ${failure}`);
process.exit(failures.length > 0 ? 1 : 0);
