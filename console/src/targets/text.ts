/** Texts of forms and lines about targets, as data and back. Pure. */
import type { TargetState } from "../api/targets.ts";
import { tOr } from "../messages/index.ts";

/** The words of a text area: one or several a line, by blanks or commas; `#` begins a comment. */
export function words(text: string): string[] {
  const lines = text.split("\n").map((line) => line.split("#")[0] ?? "");
  return lines.flatMap((line) => line.split(/[\s,]+/)).filter((word) => word !== "");
}

/** Lines of a text area that may hold blanks, such as windows. */
export function lines(text: string): string[] {
  return text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
}

/** `name=value` a line, as an object; a line without `=` is a name with nothing. */
export function pairs(text: string): { [name: string]: string } {
  const entries = lines(text).map((line) => {
    const place = line.indexOf("=");
    return place < 0 ? [line, ""] : [line.slice(0, place).trim(), line.slice(place + 1).trim()];
  });
  return Object.fromEntries(entries) as { [name: string]: string };
}

/** The same the other way. */
export function unpaired(values: { [name: string]: string }): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .join("\n");
}

/** How many targets were seen how completely, the best first. */
export function coverageLine(coverage: { [status: string]: number }): string {
  return ["complete", "partial", "not_looked_at", "not_yet"]
    .filter((status) => (coverage[status] ?? 0) > 0)
    .map((status) => `${coverage[status]} ${tOr(`state.${status}`, status)}`)
    .join(", ");
}

/** How far a look has come. */
export function progressLine(target: TargetState): string {
  if (target.at === "") return "";
  if (target.done === 0) return target.at;
  return target.total ? `${target.at} ${target.done}/${target.total}` : `${target.at} ${target.done}`;
}
