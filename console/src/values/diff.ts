/** What became different between two values; pure, so that every form is tested without a page. */
import type { Value } from "../api/types.ts";

export interface ListDiff {
  added: string[];
  removed: string[];
  unchangedCount: number;
}

const textOf = (value: Value): string =>
  typeof value === "string" ? value : JSON.stringify(value);

/** Entries of a record as `name: value`, entries of a list as they are; `null` when it is neither. */
function entries(value: Value | undefined): string[] | null {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.map(textOf);
  if (typeof value !== "object") return null;
  return Object.entries(value).map(([name, one]) => `${name}: ${textOf(one)}`);
}

/** The difference of two lists or records as sets with counts; `null` when one of them is a plain value. */
export function listDiff(before: Value | undefined, after: Value | undefined): ListDiff | null {
  const isPlural = [before, after].some((value) => typeof value === "object" && value !== null);
  const old = entries(before);
  const now = entries(after);
  if (!isPlural || old === null || now === null) return null;
  const rest = [...old];
  const added = now.filter((entry) => {
    const at = rest.indexOf(entry);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
  return { added, removed: rest, unchangedCount: now.length - added.length };
}
