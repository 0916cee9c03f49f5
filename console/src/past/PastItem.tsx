/** What a page of the past says beside the item itself: what changed at that moment, and what is different now. */
import { useState } from "react";
import { t } from "../messages/index.ts";
import { Differences } from "./Differences.tsx";
import { PastBanner } from "./PastBanner.tsx";

/** The moment before, as far as moments are told apart. */
const before = (at: string): string => new Date(new Date(at).getTime() - 1).toISOString();

export function PastItem({ id, at }: { id: string; at: string }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <PastBanner at={at}>
      <h2 className="small muted">{t("past.changedThen")}</h2>
      <Differences id={id} from={before(at)} to={at} nothing={t("past.nothingThen")} />
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>{t("past.sinceThen")}</summary>
        {isOpen && <Differences id={id} from={at} nothing={t("past.nothingSince")} />}
      </details>
      <p className="muted small">{t("past.noReadings")}</p>
    </PastBanner>
  );
}
