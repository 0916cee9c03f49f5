import { useSearch } from "@tanstack/react-router";

/** The past moment that the address names; none is now. */
export function useAt(): string | undefined {
  return useSearch({ strict: false }).at;
}
