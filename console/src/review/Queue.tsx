/** Pairs that wait for a person: walked through, selected, decided, and taken back, with the keyboard alone if wanted. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { useClasses } from "../changes/useClasses.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { More } from "../ui/More.tsx";
import { Empty, ErrorPanel, Loading } from "../ui/states.tsx";
import { Confirm, type Wanted } from "./Confirm.tsx";
import { PairPanel } from "./PairPanel.tsx";
import { QueueList } from "./QueueList.tsx";
import { Toast } from "./Toast.tsx";
import { type QueueKey, chosen, moved, pairKey, toggled, wordFor } from "./queue.ts";
import { queueQuery } from "./questions.ts";
import { useDone } from "./useDone.ts";
import { usePermission } from "./usePermission.ts";
import { useQueueKeys } from "./useQueueKeys.ts";
import type { PossiblePair } from "./types.ts";

function ClassFilter({ value }: { value: string | undefined }) {
  const navigate = useNavigate();
  const classes = [...useClasses().values()].filter(({ is_part }) => !is_part);
  return (
    <label className="choice">
      <span className="choice-legend">{t("inventory.class")}</span>
      <select
        className="select"
        value={value ?? ""}
        onChange={(event) => void navigate({ to: paths.review, search: { class: event.target.value || undefined } })}
      >
        <option value="">{t("changes.anyClass")}</option>
        {classes.map(({ name, plural }) => (
          <option key={name} value={name}>
            {plural}
          </option>
        ))}
      </select>
    </label>
  );
}

interface ActionsProps {
  count: number;
  isSelection: boolean;
  onWanted: (what: "join" | "keep_apart") => void;
  onClear: () => void;
}

function Actions({ count, isSelection, onWanted, onClear }: ActionsProps) {
  const { isAllowed, reason } = usePermission("identity_decide");
  const isDisabled = !isAllowed || count === 0;
  return (
    <div className="form-row">
      <button type="button" className="button button-primary" disabled={isDisabled} title={reason} onClick={() => onWanted("join")}>
        {t("review.join")} <kbd aria-hidden="true">m</kbd>
      </button>
      <button type="button" className="button" disabled={isDisabled} title={reason} onClick={() => onWanted("keep_apart")}>
        {t("review.apart")} <kbd aria-hidden="true">n</kbd>
      </button>
      {isSelection && (
        <>
          <span role="status">{t("review.selected", { count })}</span>
          <button type="button" className="button-link" onClick={onClear}>
            {t("common.clear")}
          </button>
        </>
      )}
      {reason && <p className="muted small">{reason}</p>}
    </div>
  );
}

const NOBODY: ReadonlySet<string> = new Set();

function Pairs({ pairs }: { pairs: PossiblePair[] }) {
  const [place, setPlace] = useState(0);
  const [selected, setSelected] = useState(NOBODY);
  const [wanted, setWanted] = useState<Wanted | null>(null);
  const last = useDone();
  const grid = useRef<HTMLDivElement>(null);
  const { isAllowed } = usePermission("identity_decide");
  const current = Math.min(place, Math.max(0, pairs.length - 1));
  const about = chosen(pairs, { current, selected });
  const pair = pairs[current];
  const want = (what: "join" | "keep_apart") => {
    if (isAllowed && about.length > 0) setWanted({ what, words: about.map((each) => wordFor(what, each)) });
  };
  const press = (key: QueueKey) => {
    if (key === "join" || key === "keep_apart") want(key);
    else if (key === "take_back") {
      if (last.canTakeBack) last.takeBack();
    } else if (key === "select") {
      if (pair) setSelected(toggled(selected, pairKey(pair)));
    } else {
      setPlace(moved(current, pairs.length, key));
      grid.current?.focus({ preventScroll: true });
    }
  };
  useQueueKeys(press, () => grid.current?.contains(document.activeElement) ?? false);
  return (
    <>
      {pairs.length === 0 && <Empty title={t("review.empty")} hint={t("review.emptyHint")} />}
      {pair && (
        <>
          <Actions count={about.length} isSelection={selected.size > 0} onWanted={want} onClear={() => setSelected(NOBODY)} />
          <div className="review-body">
            <QueueList pairs={pairs} state={{ current, selected }} grid={grid} onCurrent={setPlace} onToggle={(key) => setSelected(toggled(selected, key))} />
            <PairPanel key={pairKey(pair)} pair={pair} />
          </div>
        </>
      )}
      {wanted && (
        <Confirm
          wanted={wanted}
          onClose={() => setWanted(null)}
          onDone={({ what }, results) => {
            const count = results.filter(({ code }) => code === null).length;
            last.setDone({ text: t(what === "join" ? "review.joined" : "review.keptApart", { count }), results });
            setSelected(NOBODY);
          }}
        />
      )}
      <Toast last={last} />
    </>
  );
}

export function Queue({ className }: { className: string | undefined }) {
  const pages = useInfiniteQuery(queueQuery(className));
  const pairs = pages.data?.pages.flatMap((page) => page.pairs);
  return (
    <div className="stack">
      <ClassFilter value={className} />
      {pages.error && <ErrorPanel error={pages.error} retry={() => void pages.refetch()} />}
      {pages.isPending && <Loading />}
      {pairs && <Pairs pairs={pairs} />}
      <More pages={pages} />
    </div>
  );
}
