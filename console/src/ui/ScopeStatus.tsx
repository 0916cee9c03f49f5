/** How completely a scope was seen. A thing that the machine does not have is complete, and says so. */
import type { Scope } from "../api/types.ts";
import { Status } from "./Status.tsx";

export function ScopeStatus({ scope }: { scope: Scope }) {
  const isNotPresent = scope.status === "complete" && scope.reason === "not_present";
  return <Status status={isNotPresent ? "not_present" : scope.status} title={scope.reason.replaceAll("_", " ")} />;
}
