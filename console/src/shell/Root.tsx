/** The outermost layout, and the pages for what went wrong before any other page could show. */
import { type ErrorComponentProps, Link, Outlet } from "@tanstack/react-router";
import { ApiError } from "../api/client.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { Empty, ErrorPanel } from "../ui/states.tsx";

export function RootLayout() {
  return <Outlet />;
}

export function NotFoundPage() {
  return (
    <main id="main">
      <Empty isPage title={t("app.notFound")} hint={t("app.notFoundHint")}>
        <Link className="button" to={paths.inventory}>
          {t("app.goInventory")}
        </Link>
      </Empty>
    </main>
  );
}

export function CrashPage({ error, reset }: ErrorComponentProps) {
  if (error instanceof ApiError) {
    return (
      <main id="main" className="page">
        <ErrorPanel error={error} retry={reset} />
      </main>
    );
  }
  return (
    <main id="main" className="page">
      <div className="notice notice-critical" role="alert">
        <h1>{t("error.crash")}</h1>
        <p>{t("error.crashHint")}</p>
        <pre className="mono">{error instanceof Error ? error.message : String(error)}</pre>
        <button type="button" className="button" onClick={() => window.location.reload()}>
          {t("error.reload")}
        </button>
      </div>
    </main>
  );
}
