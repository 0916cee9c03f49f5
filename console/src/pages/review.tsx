/** What waits for a person: items that may be one, what people decided about them, and what is held. */
import { Link, getRouteApi } from "@tanstack/react-router";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { Decisions } from "../review/Decisions.tsx";
import { Held } from "../review/Held.tsx";
import { Queue } from "../review/Queue.tsx";
import { REVIEW_TABS } from "../search.ts";
import { usePageTitle } from "../ui/usePageTitle.ts";

const route = getRouteApi("/inside/review");

export function ReviewPage() {
  const search = route.useSearch();
  const current = search.tab ?? "queue";
  usePageTitle(t("review.title"));
  return (
    <div className="page page-wide">
      <div className="page-head">
        <h1>{t("review.title")}</h1>
        <p className="muted">{t("review.lead")}</p>
      </div>
      <nav className="tabs" aria-label={t("review.tabs")}>
        {REVIEW_TABS.map((tab) => (
          <Link
            key={tab}
            to={paths.review}
            search={tab === "queue" ? {} : { tab }}
            activeOptions={{ exact: true }}
            aria-current={tab === current ? "page" : undefined}
          >
            {t(`review.tab.${tab}`)}
          </Link>
        ))}
      </nav>
      {current === "queue" && <Queue key={search.class ?? ""} className={search.class} />}
      {current === "decisions" && <Decisions />}
      {current === "held" && <Held />}
    </div>
  );
}
