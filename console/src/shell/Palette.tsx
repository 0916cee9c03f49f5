/** The command palette: pages, classes and actions at once from memory, items from the server a moment later. */
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useId, useState } from "react";
import { catalogQuery, itemSearchQuery } from "../api/queries.ts";
import { t } from "../messages/index.ts";
import { Dialog } from "../ui/Dialog.tsx";
import { ClassIcon } from "../ui/Icon.tsx";
import { type PaletteEntry, matching, usePaletteEntries } from "./palette-entries.ts";
import { useDelayed } from "../ui/useDelayed.ts";

function useEntries(text: string): PaletteEntry[] {
  const fixed = usePaletteEntries();
  const { data: catalog } = useQuery(catalogQuery);
  const { data: found } = useQuery(itemSearchQuery(useDelayed(text.trim())));
  const icons = new Map(catalog?.classes.map(({ name, icon }) => [name, icon]));
  const labels = new Map(catalog?.classes.map(({ name, label }) => [name, label]));
  const items = (text.trim().length > 1 ? (found?.items ?? []) : []).map((item): PaletteEntry => ({
    id: item.id,
    group: "palette.items",
    label: item.title || item.id,
    note: labels.get(item.class) ?? item.class,
    icon: icons.get(item.class),
    go: { to: "/items/$id", params: { id: item.id } },
  }));
  return [...matching(fixed, text), ...items];
}

export default function Palette({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const entries = useEntries(text);
  const run = usePaletteRun(onClose);
  const id = useId();
  const current = Math.min(chosen, entries.length - 1);
  return (
    <Dialog title={t("palette.title")} onClose={onClose} className="palette" isBare>
      <input
        role="combobox"
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-activedescendant={current >= 0 ? `${id}-${current}` : undefined}
        aria-label={t("palette.placeholder")}
        placeholder={t("palette.placeholder")}
        autoFocus
        autoComplete="off"
        spellCheck={false}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setChosen(0);
        }}
        onKeyDown={(event) => {
          const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
          if (step !== 0) {
            event.preventDefault();
            setChosen((current + step + entries.length) % Math.max(1, entries.length));
            document.getElementById(`${id}-${current + step}`)?.scrollIntoView({ block: "nearest" });
          }
          const entry = entries[current];
          if (event.key === "Enter" && entry) run(entry);
        }}
      />
      <div id={`${id}-list`} role="listbox" aria-label={t("palette.title")} className="palette-list">
        {entries.map((entry, index) => (
          <Option key={entry.id} id={`${id}-${index}`} entry={entry} before={entries[index - 1]} isChosen={index === current} run={run} />
        ))}
        {entries.length === 0 && <p className="empty">{t("palette.empty")}</p>}
      </div>
      <p className="palette-foot">{t("palette.hint")}</p>
    </Dialog>
  );
}

interface OptionProps {
  id: string;
  entry: PaletteEntry;
  before: PaletteEntry | undefined;
  isChosen: boolean;
  run: (entry: PaletteEntry) => void;
}

function Option({ id, entry, before, isChosen, run }: OptionProps) {
  return (
    <>
      {before?.group !== entry.group && (
        <div className="palette-group" aria-hidden="true">
          {t(entry.group)}
        </div>
      )}
      <div id={id} role="option" aria-selected={isChosen} className="palette-option" onClick={() => run(entry)}>
        {entry.icon !== undefined && <ClassIcon name={entry.icon} />}
        {entry.label}
        {entry.note && <span className="muted small">{entry.note}</span>}
      </div>
    </>
  );
}

function usePaletteRun(onClose: () => void) {
  const navigate = useNavigate();
  return (entry: PaletteEntry): void => {
    onClose();
    if (entry.run) entry.run();
    if (entry.go) void navigate(entry.go);
  };
}
