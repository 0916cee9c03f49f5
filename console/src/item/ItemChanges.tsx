/** The history of one item, and of its parts when asked for. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { itemChangesQuery } from "../api/queries.ts";
import type { Item } from "../api/types.ts";
import { Timeline } from "../changes/Timeline.tsx";
import { t } from "../messages/index.ts";
import { Kept } from "../past/Kept.tsx";
import { useAt } from "../past/useAt.ts";
import { paths } from "../paths.ts";
import { More } from "../ui/More.tsx";
import { Empty, ErrorPanel, Loading } from "../ui/states.tsx";

export function ItemChanges({ item, withParts }: { item: Item; withParts: boolean }) {
  const navigate = useNavigate();
  const at = useAt();
  const pages = useInfiniteQuery(itemChangesQuery(item.id, withParts));
  const all = pages.data?.pages.flatMap(({ changes }) => changes);
  const setParts = (isOn: boolean) =>
    void navigate({
      to: paths.item,
      params: { id: item.id },
      search: { tab: "changes", at, ...(isOn ? { parts: "true" as const } : {}) },
      replace: true,
    });
  return (
    <div className="item-column">
      <label className="with-icon">
        <input type="checkbox" checked={withParts} onChange={(event) => setParts(event.target.checked)} />
        {t("item.withParts")}
      </label>
      <Kept />
      {pages.error && <ErrorPanel error={pages.error} retry={() => void pages.refetch()} />}
      {pages.isPending && <Loading />}
      {all?.length === 0 && <Empty title={t("item.noChanges")} hint={t("item.noChangesHint")} />}
      {all && all.length > 0 && <Timeline changes={all} hasItem={withParts} />}
      <More pages={pages} />
    </div>
  );
}
