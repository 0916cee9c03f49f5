/** The steps of a machine that joins, as they happen; a step that fails says what to do. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { onboardingQuery } from "../api/queries.ts";
import type { Hint, Step } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { CopyLine } from "../ui/Copy.tsx";
import { StepShape } from "../ui/Status.tsx";
import { Age } from "../ui/Time.tsx";
import { ErrorPanel, Loading } from "../ui/states.tsx";

const DOCTOR = "dharma-agent doctor";

function StepRow({ step }: { step: Step }) {
  return (
    <li className={`step step-${step.state}`}>
      <StepShape state={step.state} />
      <div>
        <p className="step-name">
          <strong>{t(`add.step.${step.name}`)}</strong>{" "}
          {step.at && (
            <span className="muted small">
              <Age time={step.at} />
            </span>
          )}
        </p>
        <p className={step.state === "failed" ? undefined : "muted"}>{step.detail || t(`add.wait.${step.name}`)}</p>
        {step.state === "failed" && (
          <div className="stack-small">
            <p className="muted small">{t("add.doctor")}</p>
            <CopyLine text={DOCTOR} label={t("add.doctor")} />
          </div>
        )}
      </div>
    </li>
  );
}

/** Nobody knows whose agent it was, so this stands beside the steps and fails none of them. */
function Hints({ hints }: { hints: Hint[] }) {
  return (
    <div aria-live="polite">
      {hints.length > 0 && (
        <div className="panel-body">
          <div className="notice notice-warning">
            <h3 className="notice-title">{t("add.hints")}</h3>
            <ul>
              {hints.map((hint) => (
                <li key={hint.detail}>
                  {hint.detail}{" "}
                  <span className="muted small">
                    <Age time={hint.at} />
                  </span>
                </li>
              ))}
            </ul>
          </div>
        </div>
      )}
    </div>
  );
}

export function Steps({ token }: { token: string }) {
  const { data, error, refetch } = useQuery(onboardingQuery(token));
  if (error) return <ErrorPanel error={error} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  const isDone = data.steps.every(({ state }) => state === "done");
  return (
    <section className="panel" aria-labelledby="steps-title">
      <div className="panel-head">
        <h2 id="steps-title">{t("add.steps")}</h2>
      </div>
      <ol className="steps" aria-live="polite">
        {data.steps.map((step) => (
          <StepRow key={step.name} step={step} />
        ))}
      </ol>
      <Hints hints={data.hints} />
      {isDone && (
        <div className="panel-body">
          <p className="notice notice-ok">
            <strong>{t("add.arrived")}</strong>
            {data.item_id && (
              <Link to={paths.item} params={{ id: data.item_id }} className="button button-primary">
                {t("add.open")}
              </Link>
            )}
          </p>
        </div>
      )}
    </section>
  );
}
