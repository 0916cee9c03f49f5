/** Which things are there, and which of them match: one table for every class. */
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import type { Params } from "../api/client.ts";
import { catalogQuery, countsQuery } from "../api/queries.ts";
import type { InventorySearch } from "../search.ts";
import { t } from "../messages/index.ts";
import { PastBanner } from "../past/PastBanner.tsx";
import { usePageTitle } from "../ui/usePageTitle.ts";
import { ClassRail } from "../inventory/ClassRail.tsx";
import { InventoryHead } from "../inventory/InventoryHead.tsx";
import { ItemTable } from "../inventory/ItemTable.tsx";
import { queryParams } from "../inventory/query.ts";

const route = getRouteApi("/inside/inventory");

/** What the API is asked, from what the address says. */
function itemParams(search: InventorySearch): Params {
  return {
    class: search.class,
    state: search.state,
    parent: search.parent,
    order: search.order,
    ...(search.at ? { at: search.at } : {}),
    ...queryParams(search.q ?? ""),
  };
}

export function InventoryPage() {
  const search = route.useSearch();
  const { data: catalog } = useQuery(catalogQuery);
  const params = itemParams(search);
  const { order: _, ...filter } = params;
  const { data: counts, isPlaceholderData } = useQuery(countsQuery(filter));
  const definition = catalog?.classes.find(({ name }) => name === search.class);
  usePageTitle(definition?.plural ?? t("inventory.title"));
  return (
    <div className="inventory">
      <ClassRail search={search} counts={counts} />
      <div className="inventory-main">
        {search.at && <PastBanner at={search.at} />}
        <InventoryHead search={search} definition={definition} />
        <ItemTable
          // Another question is another table: scroll position and pages begin anew.
          key={JSON.stringify(params)}
          search={search}
          params={params}
          definition={definition}
          total={isPlaceholderData ? undefined : counts?.total}
        />
      </div>
    </div>
  );
}
