/** What one item is, what it touches, what changed, and why we believe it. Driven by the catalog, for every class. */
import { useQuery } from "@tanstack/react-query";
import { Link, getRouteApi } from "@tanstack/react-router";
import { ApiError } from "../api/client.ts";
import { catalogQuery, itemQuery } from "../api/queries.ts";
import type { Item } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { PastItem } from "../past/PastItem.tsx";
import { TimeBar } from "../past/TimeBar.tsx";
import { useAt } from "../past/useAt.ts";
import { paths } from "../paths.ts";
import { ITEM_TABS, type ItemSearch } from "../search.ts";
import { Breadcrumbs } from "../shell/Breadcrumbs.tsx";
import { ClassIcon } from "../ui/Icon.tsx";
import { Status } from "../ui/Status.tsx";
import { Age } from "../ui/Time.tsx";
import { Empty, ErrorPanel, Loading } from "../ui/states.tsx";
import { usePageTitle } from "../ui/usePageTitle.ts";
import { ItemChanges } from "../item/ItemChanges.tsx";
import { PossibleDuplicates } from "../item/PossibleDuplicates.tsx";
import { Relations } from "../item/Relations.tsx";
import { Summary } from "../item/Summary.tsx";
import { Why } from "../item/Why.tsx";

const route = getRouteApi("/inside/items/$id");

/** An item is named by more than its title where the title alone says little. */
export const itemTitle = (item: Pick<Item, "title" | "id">): string => item.title || item.id;

function Crumbs({ item }: { item: Item }) {
  const { data: catalog } = useQuery(catalogQuery);
  const at = useAt();
  const { data: parent } = useQuery({ ...itemQuery(item.parent_id ?? "", at), enabled: item.parent_id !== null });
  const definition = catalog?.classes.find(({ name }) => name === item.class);
  return (
    <Breadcrumbs>
      {[
        <Link key="top" to={paths.inventory} search={{ class: parent?.class ?? item.class, at }}>
          {t("nav.inventory")}
        </Link>,
        parent && (
          <Link key="parent" to={paths.item} params={{ id: parent.id }} search={{ at }}>
            {itemTitle(parent)}
          </Link>
        ),
        <Link
          key="class"
          to={paths.inventory}
          search={{ class: item.class, at, ...(parent ? { parent: parent.id } : {}) }}
        >
          {definition?.plural ?? item.class}
        </Link>,
      ]}
    </Breadcrumbs>
  );
}

function Head({ item }: { item: Item }) {
  const { data: catalog } = useQuery(catalogQuery);
  const definition = catalog?.classes.find(({ name }) => name === item.class);
  return (
    <header className="stack-small">
      <Crumbs item={item} />
      <div className="item-head">
        <ClassIcon name={definition?.icon} size={20} />
        <h1>{itemTitle(item)}</h1>
        <span className="tag" title={definition?.doc}>
          {definition?.label ?? item.class}
        </span>
        <Status status={item.state} />
      </div>
      <p className="item-meta">
        <span>
          {t("item.firstSeen")} <Age time={item.first_seen} />
        </span>
        <span>
          {t("item.lastSeen")} <Age time={item.last_seen} />
        </span>
        <span>
          {t("item.revision")} {item.revision}
        </span>
        <span>
          {t("item.id")} <code>{item.id}</code>
        </span>
      </p>
    </header>
  );
}

function Tabs({ id, search }: { id: string; search: ItemSearch }) {
  const current = search.tab ?? "summary";
  return (
    <nav className="tabs" aria-label={t("item.tabs")}>
      {ITEM_TABS.map((tab) => (
        <Link
          key={tab}
          to={paths.item}
          params={{ id }}
          search={{ at: search.at, ...(tab === "summary" ? {} : { tab }) }}
          // The address of the summary is the beginning of the others': only an exact match is the current one.
          activeOptions={{ exact: true }}
          aria-current={tab === current ? "page" : undefined}
        >
          {t(`item.${tab}`)}
        </Link>
      ))}
    </nav>
  );
}

function Sections({ item, search }: { item: Item; search: ItemSearch }) {
  return (
    <>
      {!search.at && <PossibleDuplicates item={item} />}
      <Tabs id={item.id} search={search} />
      {search.tab === "relations" && <Relations item={item} />}
      {search.tab === "identity" && <Why key={item.id} item={item} />}
      {search.tab === "changes" && <ItemChanges item={item} withParts={search.parts === "true"} />}
      {(search.tab ?? "summary") === "summary" && <Summary item={item} />}
    </>
  );
}

export function ItemPage() {
  const { id } = route.useParams();
  const search = route.useSearch();
  const { data: item, error, refetch } = useQuery(itemQuery(id, search.at));
  usePageTitle(item ? itemTitle(item) : "");
  const isMissing = error instanceof ApiError && error.status === 404;
  if (isMissing && !search.at) return <Empty isPage title={t("item.notFound")} hint={t("item.notFoundHint")} />;
  return (
    <div className="page page-item">
      {item ? <Head item={item} /> : search.at && <h1>{t("past.title")}</h1>}
      {(item ?? search.at) && <TimeBar id={id} search={search} />}
      {item && search.at && <PastItem id={id} at={search.at} />}
      {isMissing && <Empty title={t("past.notThere")} hint={t("past.notThereHint")} />}
      {error && !isMissing && <ErrorPanel error={error} retry={() => void refetch()} />}
      {!item && !error && <Loading />}
      {item && <Sections item={item} search={search} />}
    </div>
  );
}
