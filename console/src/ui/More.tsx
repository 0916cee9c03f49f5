/** Loads the next page of a list; nothing when there is none. */
import { t } from "../messages/index.ts";

interface Pages {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
}

export function More({ pages }: { pages: Pages }) {
  if (!pages.hasNextPage) return null;
  return (
    <button type="button" className="button start" disabled={pages.isFetchingNextPage} onClick={() => pages.fetchNextPage()}>
      {t("common.more")}
    </button>
  );
}
