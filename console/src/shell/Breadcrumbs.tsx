/** The path to this page; for an item, its path in the graph. */
import type { ReactNode } from "react";
import { t } from "../messages/index.ts";

export function Breadcrumbs({ children }: { children: ReactNode[] }) {
  return (
    <nav className="breadcrumb" aria-label={t("nav.breadcrumb")}>
      <ol>
        {children.filter(Boolean).map((child, index) => (
          // The path has no identity but its order.
          <li key={index}>{child}</li>
        ))}
      </ol>
    </nav>
  );
}
