/** How far history reaches back; stands wherever history is shown. */
import { useQuery } from "@tanstack/react-query";
import { historyQuery } from "../api/queries.ts";
import { t } from "../messages/index.ts";
import { Moment } from "../ui/Time.tsx";

export function Kept() {
  const { data } = useQuery(historyQuery);
  if (!data) return null;
  return (
    <p className="muted small">
      {data.days === null ? t("past.keptForEver") : t("past.kept", { count: data.days })}
      {data.kept_since && (
        <>
          {" "}
          {t("past.keptSince")} <Moment time={data.kept_since} />.
        </>
      )}
    </p>
  );
}
