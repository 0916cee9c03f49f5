/** One target set: how each of its targets fares, its settings, and its end. */
import { useInfiniteQuery, useMutation, useQuery } from "@tanstack/react-query";
import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { ApiError } from "../api/client.ts";
import { queryClient } from "../api/queries.ts";
import { type TargetSet, targetCommands, targetQuery, targetStatesQuery, targetsQuery } from "../api/targets.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { Breadcrumbs } from "../shell/Breadcrumbs.tsx";
import { RunNow } from "../targets/RunNow.tsx";
import { SetForm } from "../targets/SetForm.tsx";
import { StateTable } from "../targets/StateTable.tsx";
import { More } from "../ui/More.tsx";
import { Empty, ErrorPanel, Loading, errorSentence } from "../ui/states.tsx";
import { usePageTitle } from "../ui/usePageTitle.ts";

const route = getRouteApi("/inside/targets/$name");

function Remove({ set }: { set: TargetSet }) {
  const navigate = useNavigate();
  const remove = useMutation({
    mutationFn: () => targetCommands.remove(set.name),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: targetsQuery.queryKey });
      await navigate({ to: paths.targets });
    },
  });
  return (
    <section className="panel panel-body stack">
      <p>{t("targets.removeLead")}</p>
      {remove.isError && (
        <p className="notice notice-critical" role="alert">
          {errorSentence(remove.error)}
        </p>
      )}
      <button type="button" className="button button-danger start" disabled={remove.isPending} onClick={() => remove.mutate()}>
        {t("targets.remove")}
      </button>
    </section>
  );
}

export function TargetPage() {
  const { name } = route.useParams();
  const { data: set, error, refetch } = useQuery(targetQuery(name));
  const pages = useInfiniteQuery(targetStatesQuery(name));
  usePageTitle(name);
  if (error instanceof ApiError && error.status === 404) return <Empty isPage title={t("targets.notFound")} />;
  if (error) return <ErrorPanel error={error} retry={() => void refetch()} />;
  if (!set) return <Loading />;
  const states = pages.data?.pages.flatMap((page) => page.states) ?? [];
  return (
    <div className="page">
      <Breadcrumbs>
        {[
          <Link key="targets" to={paths.targets}>
            {t("targets.title")}
          </Link>,
        ]}
      </Breadcrumbs>
      <div className="page-head">
        <h1>{set.name}</h1>
        <span className="push">
          <RunNow name={set.name} />
        </span>
      </div>
      {set.remedy && <p className="notice notice-warning">{set.remedy}</p>}
      <StateTable set={set.name} states={states} />
      <More pages={pages} />
      <h2>{t("targets.settings")}</h2>
      <SetForm key={set.changed_at} set={set} />
      <Remove set={set} />
    </div>
  );
}
