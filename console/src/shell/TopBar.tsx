/** The top bar: search, state of the live stream, help, appearance, account. */
import { useNavigate } from "@tanstack/react-router";
import { Command, Keyboard, Search } from "lucide-react";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { AccountMenu, AppearanceMenu } from "./menus.tsx";
import { LiveState } from "./LiveState.tsx";
import type { Overlay } from "./Shell.tsx";

function SearchBox() {
  const navigate = useNavigate();
  return (
    <search className="top-search">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const q = new FormData(event.currentTarget).get("q");
          void navigate({ to: paths.inventory, search: { q: String(q ?? "") } });
        }}
      >
        <Search size={15} aria-hidden="true" className="icon" />
        <input
          className="input"
          type="search"
          name="q"
          data-shortcut="search"
          placeholder={t("top.search")}
          aria-label={t("top.search")}
          title={t("top.searchHint")}
          autoComplete="off"
          spellCheck={false}
        />
        <kbd aria-hidden="true">/</kbd>
      </form>
    </search>
  );
}

export function TopBar({ open }: { open: (overlay: Overlay) => void }) {
  return (
    <header className="top">
      <SearchBox />
      <div className="top-end">
        <LiveState />
        <button
          type="button"
          className="button-icon"
          aria-label={`${t("top.palette")} (Ctrl+K)`}
          title={`${t("top.palette")} (Ctrl+K)`}
          onClick={() => open("palette")}
        >
          <Command size={16} aria-hidden="true" />
        </button>
        <button
          type="button"
          className="button-icon"
          aria-label={`${t("top.shortcuts")} (?)`}
          title={`${t("top.shortcuts")} (?)`}
          onClick={() => open("shortcuts")}
        >
          <Keyboard size={16} aria-hidden="true" />
        </button>
        <AppearanceMenu />
        <AccountMenu />
      </div>
    </header>
  );
}
