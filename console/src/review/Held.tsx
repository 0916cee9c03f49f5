/** Looks that missed so much at once that nothing was retired: what is held, and the two words about it. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { HeldRetirement } from "../api/types.ts";
import { SourceName } from "../item/Provenance.tsx";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { More } from "../ui/More.tsx";
import { Status } from "../ui/Status.tsx";
import { Age } from "../ui/Time.tsx";
import { Empty, ErrorPanel, Loading } from "../ui/states.tsx";
import { Settle, type Verdict } from "./Settle.tsx";
import { heldItemsQuery, heldQuery } from "./questions.ts";
import { usePermission } from "./usePermission.ts";

function Items({ held }: { held: HeldRetirement }) {
  const pages = useInfiniteQuery(heldItemsQuery(held.id));
  const items = pages.data?.pages.flatMap((page) => page.items);
  return (
    <div className="stack-small panel-body">
      {pages.error && <ErrorPanel error={pages.error} retry={() => void pages.refetch()} />}
      {pages.isPending && <Loading />}
      <ul className="held-items">
        {items?.map((item) => (
          <li key={item.id}>
            <Link to={paths.item} params={{ id: item.id }}>
              <bdi>{item.title || item.id}</bdi>
            </Link>{" "}
            <Status status={item.state} />
          </li>
        ))}
      </ul>
      <More pages={pages} />
    </div>
  );
}

function One({ held, onVerdict }: { held: HeldRetirement; onVerdict: (verdict: Verdict) => void }) {
  const [isOpen, setOpen] = useState(false);
  const { isAllowed, reason } = usePermission("retirements_decide");
  return (
    <section className="panel" aria-label={held.scope}>
      <div className="panel-head">
        <h2>
          <code>{held.scope}</code>
        </h2>
        <span className="muted small">
          <SourceName source={held.source} /> · <Age time={held.held_at} />
        </span>
      </div>
      <div className="panel-body stack-small">
        <p>{t("agents.held", { count: held.count, of: held.of })}</p>
        <div className="form-row">
          <button type="button" className="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
            {t("review.heldItems", { count: held.count })}
          </button>
          <button type="button" className="button button-danger" disabled={!isAllowed} title={reason} onClick={() => onVerdict("approve")}>
            {t("review.approve")}
          </button>
          <button type="button" className="button" disabled={!isAllowed} title={reason} onClick={() => onVerdict("dismiss")}>
            {t("review.dismiss")}
          </button>
        </div>
        {reason && <p className="muted small">{reason}</p>}
      </div>
      {isOpen && <Items held={held} />}
    </section>
  );
}

export function Held() {
  const pages = useInfiniteQuery(heldQuery);
  const [settling, setSettling] = useState<{ held: HeldRetirement; verdict: Verdict } | null>(null);
  const [done, setDone] = useState("");
  const all = pages.data?.pages.flatMap((page) => page.held_retirements);
  return (
    <div className="stack">
      <p className="muted">{t("review.heldLead")}</p>
      <p role="status">{done}</p>
      {pages.error && <ErrorPanel error={pages.error} retry={() => void pages.refetch()} />}
      {pages.isPending && <Loading />}
      {all?.length === 0 && <Empty title={t("review.noHeld")} hint={t("review.noHeldHint")} />}
      {all?.map((held) => (
        <One key={held.id} held={held} onVerdict={(verdict) => setSettling({ held, verdict })} />
      ))}
      <More pages={pages} />
      {settling && <Settle {...settling} onClose={() => setSettling(null)} onDone={setDone} />}
    </div>
  );
}
