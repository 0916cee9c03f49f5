/** What was done last, and the way back from it. */
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { t } from "../messages/index.ts";
import { wayBack } from "./queue.ts";
import { say } from "./questions.ts";
import type { WordResult } from "./types.ts";

export interface Done {
  text: string;
  results: WordResult[];
}

export interface LastDone {
  done: Done | null;
  setDone: (done: Done | null) => void;
  canTakeBack: boolean;
  takeBack: () => void;
  error: Error | null;
}

export function useDone(): LastDone {
  const [done, setDone] = useState<Done | null>(null);
  const words = done ? wayBack(done.results) : [];
  const back = useMutation({
    mutationFn: () => say(words),
    // What was taken back cannot be taken back again: it is said anew.
    onSuccess: (results) => setDone({ text: t("review.tookBack", { count: words.length }), results }),
  });
  return { done, setDone, canTakeBack: words.length > 0 && !back.isPending, takeBack: () => back.mutate(), error: back.error };
}
