/** Whether the person may decide, with the sentence that a disabled button shows. The server decides again. */
import { useQuery } from "@tanstack/react-query";
import { permissionsQuery } from "./questions.ts";

export function usePermission(action: "identity_decide" | "retirements_decide"): { isAllowed: boolean; reason: string | undefined } {
  const { data } = useQuery(permissionsQuery);
  const found = data?.actions.find((each) => each.action === action);
  return { isAllowed: found?.is_allowed ?? false, reason: found?.reason };
}
