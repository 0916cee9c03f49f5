/** The title of the window follows the page. */
import { useEffect } from "react";
import { t } from "../messages/index.ts";

export function usePageTitle(page: string): void {
  useEffect(() => {
    document.title = page ? t("app.title", { page }) : t("app.name");
  }, [page]);
}
