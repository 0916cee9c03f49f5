/** What a key does to the current row of a table. */

export type Step = number | "first" | "last" | null;

export function rowStep(key: string, hasSingleKeys: boolean, page: number): Step {
  if (key === "ArrowDown" || (hasSingleKeys && key === "j")) return 1;
  if (key === "ArrowUp" || (hasSingleKeys && key === "k")) return -1;
  if (key === "PageDown") return page;
  if (key === "PageUp") return -page;
  if (key === "Home") return "first";
  return key === "End" ? "last" : null;
}
