/** The classes of the catalog by name. */
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { catalogQuery } from "../api/queries.ts";
import type { ClassDefinition } from "../api/types.ts";

export function useClasses(): Map<string, ClassDefinition> {
  const { data } = useQuery(catalogQuery);
  return useMemo(() => new Map(data?.classes.map((each) => [each.name, each])), [data]);
}
