/**
 * How completely a scope was seen.
 *
 * A thing that the machine does not have is complete, and says so. A scope whose every item was seen, but not all of
 * what belongs to them, is restricted.
 */
import type { Scope } from "../api/types.ts";
import { Status } from "./Status.tsx";

export function scopeStatus({ status, reason }: Scope): string {
  if (status !== "complete" || reason === "") return status;
  return reason === "not_present" ? "not_present" : "restricted";
}

/** Whether the scope leaves something unseen. */
export const isGap = (scope: Scope): boolean => !["complete", "not_present"].includes(scopeStatus(scope));

export function ScopeStatus({ scope }: { scope: Scope }) {
  return <Status status={scopeStatus(scope)} title={scope.reason.replaceAll("_", " ")} />;
}
