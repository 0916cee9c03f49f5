/** The frame of every page behind the login: rail, top bar, content, and the dialogs that any page can open. */
import { useQuery } from "@tanstack/react-query";
import { Outlet, useRouter, useRouterState } from "@tanstack/react-router";
import { Suspense, lazy, useEffect, useRef, useState } from "react";
import { sessionQuery } from "../api/queries.ts";
import { stream } from "../live/live.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { Rail } from "./Rail.tsx";
import { TopBar } from "./TopBar.tsx";
import { useShortcuts } from "./keyboard.ts";

const Palette = lazy(() => import("./Palette.tsx"));
const Shortcuts = lazy(() => import("./Shortcuts.tsx"));

export type Overlay = "palette" | "shortcuts" | null;

/** Moves focus to the content after a change of page, so that a screen reader starts there. */
function useFocusOnNavigation() {
  const main = useRef<HTMLElement>(null);
  const path = useRouterState({ select: (state) => state.resolvedLocation?.pathname });
  const last = useRef(path);
  useEffect(() => {
    if (last.current !== undefined && path !== last.current) main.current?.focus({ preventScroll: true });
    last.current = path;
  }, [path]);
  return main;
}

/** Leads to the login when the session ends while a page is open, and back to that page afterwards. */
function useLoginWhenOver() {
  const { data } = useQuery(sessionQuery);
  const router = useRouter();
  const isOver = data !== undefined && data.user === null;
  useEffect(() => {
    if (!isOver) return;
    const { pathname, searchStr } = router.state.location;
    void router.navigate({ to: paths.login, search: { next: pathname + searchStr } });
  }, [isOver, router]);
}

export function Shell() {
  const [overlay, setOverlay] = useState<Overlay>(null);
  const main = useFocusOnNavigation();
  // The browser reports a closed dialog a little later; by then another one may already be open, and stays.
  const closed = (which: Overlay) => setOverlay((current) => (current === which ? null : current));
  useShortcuts(setOverlay);
  useLoginWhenOver();
  useEffect(() => {
    stream.start();
    return () => stream.stop();
  }, []);
  return (
    <div className="shell">
      <a
        className="skip button"
        href="#main"
        onClick={(event) => {
          // A plain fragment would be resolved against the `<base>`.
          event.preventDefault();
          main.current?.focus();
        }}
      >
        {t("app.skip")}
      </a>
      <Rail />
      <TopBar open={setOverlay} />
      <main id="main" ref={main} className="main" tabIndex={-1}>
        <Outlet />
      </main>
      <Suspense fallback={null}>
        {overlay === "palette" && <Palette onClose={() => closed("palette")} />}
        {overlay === "shortcuts" && <Shortcuts onClose={() => closed("shortcuts")} />}
      </Suspense>
    </div>
  );
}
