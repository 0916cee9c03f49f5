/** Moving through the history of one item: to a moment, to the change before or after, back to now. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { type FormEvent, type ReactNode, useId } from "react";
import { momentsQuery } from "../api/queries.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import type { ItemSearch } from "../search.ts";
import { localInput } from "./localInput.ts";

interface StepProps {
  id: string;
  search: ItemSearch;
  to: string | null | undefined;
  children: ReactNode;
}

/** A link to a change; where there is none, a button that says so by being disabled. */
function Step({ id, search, to, children }: StepProps) {
  if (!to) {
    return (
      <button type="button" className="button" disabled>
        {children}
      </button>
    );
  }
  return (
    <Link to={paths.item} params={{ id }} search={{ ...search, at: to }} className="button" resetScroll={false}>
      {children}
    </Link>
  );
}

export function TimeBar({ id, search }: { id: string; search: ItemSearch }) {
  const navigate = useNavigate();
  const field = useId();
  const { data: moments } = useQuery(momentsQuery(id, search.at));
  const show = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const value = new Date(String(new FormData(event.currentTarget).get("at") ?? ""));
    if (Number.isNaN(value.getTime())) return;
    void navigate({ to: paths.item, params: { id }, search: { ...search, at: value.toISOString() } });
  };
  return (
    <div className="time-bar" role="group" aria-label={t("past.controls")}>
      <Step id={id} search={search} to={moments?.previous}>
        <ChevronLeft size={14} aria-hidden="true" className="mirrored" />
        {t("past.previous")}
      </Step>
      <Step id={id} search={search} to={moments?.next}>
        {t("past.next")}
        <ChevronRight size={14} aria-hidden="true" className="mirrored" />
      </Step>
      <form className="time-pick" onSubmit={show}>
        <label htmlFor={field}>{t("past.asOf")}</label>
        <input
          // Another moment is another value to begin with.
          key={search.at ?? "now"}
          id={field}
          name="at"
          type="datetime-local"
          step={1}
          required
          className="input"
          defaultValue={search.at ? localInput(search.at) : ""}
        />
        <button type="submit" className="button">
          {t("past.show")}
        </button>
      </form>
      {search.at && (
        <Link to={paths.item} params={{ id }} search={{ ...search, at: undefined }} className="button button-primary">
          {t("past.backToNow")}
        </Link>
      )}
    </div>
  );
}
