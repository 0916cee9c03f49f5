/** What a page shows instead of its content: loading, nothing, an error. */
import type { ReactNode } from "react";
import { ApiError } from "../api/client.ts";
import { t } from "../messages/index.ts";

export function Loading() {
  return (
    <div className="loading" role="status">
      <span className="visually-hidden">{t("app.loading")}</span>
      <div className="skeleton-row" />
      <div className="skeleton-row" />
      <div className="skeleton-row" />
    </div>
  );
}

interface EmptyProps {
  title: string;
  hint?: string;
  /** Whether it is all that the page shows: then its title is the page's. */
  isPage?: boolean;
  children?: ReactNode;
}

export function Empty({ title, hint, isPage = false, children }: EmptyProps) {
  return (
    <div className="empty">
      {isPage ? <h1 className="empty-title">{title}</h1> : <p className="empty-title">{title}</p>}
      {hint && <p className="muted">{hint}</p>}
      {children}
    </div>
  );
}

/** The sentence of an error, for a form or a page. */
export function errorSentence(error: unknown): string {
  if (!(error instanceof ApiError)) return String(error);
  if (error.status === 0) return t("error.unreachable");
  return error.problem.detail || error.problem.title;
}

export function ErrorPanel({ error, retry }: { error: unknown; retry?: () => void }) {
  const problem = error instanceof ApiError ? error.problem : undefined;
  return (
    <div className="notice notice-critical" role="alert">
      <p className="notice-title">{t("error.title")}</p>
      <p>{errorSentence(error)}</p>
      <p className="muted small">
        {problem?.code && <span>{t("error.code", { code: problem.code })} </span>}
        {problem?.request_id && <span>{t("error.request", { id: problem.request_id })}</span>}
      </p>
      {retry && (
        <button type="button" className="button" onClick={retry}>
          {t("error.retry")}
        </button>
      )}
    </div>
  );
}
