/** The frame of the pages before the session: setup and login. */
import type { ReactNode } from "react";
import { t } from "../messages/index.ts";
import { Mark } from "./Mark.tsx";

export function Gate({ title, lead, children }: { title: string; lead: string; children: ReactNode }) {
  return (
    <main className="gate">
      <div className="gate-card">
        <p className="brand">
          <Mark size={24} />
          {t("app.name")}
        </p>
        <div>
          <h1>{title}</h1>
          <p className="muted">{lead}</p>
        </div>
        {children}
      </div>
    </main>
  );
}
