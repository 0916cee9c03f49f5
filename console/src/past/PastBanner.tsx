/** Says that a page shows the past, which moment, and how to come back. */
import { Link } from "@tanstack/react-router";
import { History } from "lucide-react";
import type { ReactNode } from "react";
import { t } from "../messages/index.ts";
import { Moment } from "../ui/Time.tsx";

interface BannerProps {
  at: string;
  children?: ReactNode;
}

export function PastBanner({ at, children }: BannerProps) {
  return (
    <div className="notice notice-warning past-banner" role="status">
      <p className="with-icon">
        <History size={14} aria-hidden="true" />
        <strong>
          {t("past.shown")} <Moment time={at} />
        </strong>
      </p>
      <p>
        {t("past.paused")}{" "}
        <Link to="." search={(search: Record<string, unknown>) => ({ ...search, at: undefined })} className="inside-text">
          {t("past.backToNow")}
        </Link>
      </p>
      {children}
    </div>
  );
}
