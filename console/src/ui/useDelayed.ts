/** The value as it was when it last stood still: for searching while someone types. */
import { useEffect, useState } from "react";

/** A pause between two keys of a quick typist is shorter than this. */
const PAUSE_MILLISECONDS = 120;

export function useDelayed(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), PAUSE_MILLISECONDS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
