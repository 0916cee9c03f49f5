/** What people said about identity, and taking it back. */
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { Age } from "../ui/Time.tsx";
import { Empty, ErrorPanel, Loading, errorSentence } from "../ui/states.tsx";
import { Toast } from "./Toast.tsx";
import { decisionsQuery, say } from "./questions.ts";
import type { Decided } from "./types.ts";
import { useDone } from "./useDone.ts";
import { usePermission } from "./usePermission.ts";

const titles = (decided: Decided): string => decided.items.map(({ title, id }) => title || id).join(", ");

interface RowProps {
  decided: Decided;
  isBusy: boolean;
  onTakeBack: (decided: Decided) => void;
}

function Row({ decided, isBusy, onTakeBack }: RowProps) {
  const { isAllowed, reason } = usePermission("identity_decide");
  return (
    <tr>
      <td>{t(`review.kind.${decided.kind}`)}</td>
      <td className="wrap">
        {decided.items.map(({ id, title }, index) => (
          <span key={id}>
            {index > 0 && ", "}
            <Link to={paths.item} params={{ id }}>
              <bdi>{title || id}</bdi>
            </Link>
          </span>
        ))}
      </td>
      <td>{decided.said_by}</td>
      <td className="nowrap">
        <Age time={decided.said_at} />
      </td>
      <td>
        <button
          type="button"
          className="button"
          disabled={!isAllowed || isBusy}
          title={reason}
          aria-label={t("review.takeBackOf", { items: titles(decided) })}
          onClick={() => onTakeBack(decided)}
        >
          {t("review.takeBack")}
        </button>
      </td>
    </tr>
  );
}

export function Decisions() {
  const { data, error, refetch } = useQuery(decisionsQuery);
  const last = useDone();
  const back = useMutation({
    mutationFn: ({ action }: Decided) => say([{ say: "take_back", action }]),
    onSuccess: (results) => last.setDone({ text: t("review.tookBack", { count: 1 }), results }),
  });
  if (error) return <ErrorPanel error={error} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  return (
    <div className="stack">
      <p className="muted">{t("review.decisionsLead")}</p>
      {back.isError && (
        <p className="notice notice-critical" role="alert">
          {errorSentence(back.error)}
        </p>
      )}
      {data.decisions.length === 0 && <Empty title={t("review.noDecisions")} hint={t("review.noDecisionsHint")} />}
      {data.decisions.length > 0 && (
        <div className="panel table-wrap" tabIndex={0} role="group" aria-label={t("review.decisions")}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{t("review.said")}</th>
                <th scope="col">{t("review.items")}</th>
                <th scope="col">{t("review.saidBy")}</th>
                <th scope="col">{t("review.when")}</th>
                <th scope="col">
                  <span className="visually-hidden">{t("review.takeBack")}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {data.decisions.map((decided) => (
                <Row key={decided.action} decided={decided} isBusy={back.isPending} onTakeBack={back.mutate} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Toast last={last} />
    </div>
  );
}
