/** Which pair of the queue is current and which are selected, and what keys do to it. Pure, so that it is tested alone. */
import type { PossiblePair, Word, WordResult } from "./types.ts";

/** Pairs that are decided at once; the API takes no more. */
export const SELECTED_MAX = 100;

export const pairKey = ({ item, other }: PossiblePair): string => `${item.id} ${other.id}`;

export interface QueueState {
  current: number;
  selected: ReadonlySet<string>;
}

export type QueueKey = "next" | "previous" | "first" | "last" | "select" | "join" | "keep_apart" | "take_back";

/** What a key means; those of one letter only while single keys are wanted. */
export function queueKey(key: string, hasSingleKeys: boolean): QueueKey | null {
  if (key === "ArrowDown") return "next";
  if (key === "ArrowUp") return "previous";
  if (key === "Home") return "first";
  if (key === "End") return "last";
  if (key === " ") return "select";
  if (!hasSingleKeys) return null;
  const letters: { [letter: string]: QueueKey } = { j: "next", k: "previous", x: "select", m: "join", n: "keep_apart", u: "take_back" };
  return letters[key] ?? null;
}

/** The place of the current pair after a step; the queue gets shorter while it is worked through. */
export function moved(current: number, count: number, to: QueueKey): number {
  const last = Math.max(0, count - 1);
  const wanted = { next: current + 1, previous: current - 1, first: 0, last }[to as "next"] ?? current;
  return Math.min(last, Math.max(0, wanted));
}

/** Selects a pair, or not any more; beyond what can be decided at once nothing is added. */
export function toggled(selected: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const next = new Set(selected);
  if (!next.delete(key) && next.size < SELECTED_MAX) next.add(key);
  return next;
}

/** What a word is about: the selected pairs, without any the current one. What is not in the queue any more is not. */
export function chosen(pairs: PossiblePair[], { current, selected }: QueueState): PossiblePair[] {
  const found = pairs.filter((pair) => selected.has(pairKey(pair)));
  if (found.length > 0) return found.slice(0, SELECTED_MAX);
  return pairs.slice(current, current + 1);
}

export const wordFor = (what: "join" | "keep_apart", { item, other }: PossiblePair): Word => ({ say: what, item: item.id, other: other.id });

/** What is taken back by the way back: the actions that were taken, the last one first. */
export const wayBack = (results: WordResult[]): Word[] =>
  results.flatMap(({ action }) => (action === null ? [] : [{ say: "take_back" as const, action }])).toReversed();

export const refusals = (results: WordResult[]): string[] => results.flatMap(({ code, detail }) => (code === null ? [] : [detail ?? code]));
