/** What the palette knows without asking: pages, classes, actions. */
import { useQuery } from "@tanstack/react-query";
import { catalogQuery } from "../api/queries.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { THEMES, setTheme } from "../theme/theme.ts";

export interface PaletteEntry {
  id: string;
  group: "palette.pages" | "palette.classes" | "palette.actions" | "palette.items";
  label: string;
  note?: string;
  icon?: string | undefined;
  go?: { to: string; search?: { class?: string }; params?: { id: string } };
  run?: () => void;
}

/** Without a word, only pages and actions are listed: classes are many. */
export function matching(entries: PaletteEntry[], text: string): PaletteEntry[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return entries.filter(({ group }) => group !== "palette.classes");
  return entries.filter(({ label }) => words.every((word) => label.toLowerCase().includes(word)));
}

export function usePaletteEntries(): PaletteEntry[] {
  const { data: catalog } = useQuery(catalogQuery);
  const pages = [
    [paths.inventory, t("nav.inventory")],
    [paths.changes, t("nav.changes")],
    [paths.review, t("nav.review")],
    [paths.agents, t("nav.agents")],
    [paths.agentAdd, t("add.title")],
    [paths.tokens, t("nav.tokens")],
  ] as const;
  return [
    ...pages.map(([to, label]): PaletteEntry => ({ id: to, group: "palette.pages", label, go: { to } })),
    ...(catalog?.classes ?? []).map((each): PaletteEntry => ({
      id: `class ${each.name}`,
      group: "palette.classes",
      label: each.plural,
      icon: each.icon,
      go: { to: paths.inventory, search: { class: each.name } },
    })),
    ...THEMES.map((theme): PaletteEntry => ({
      id: `theme ${theme}`,
      group: "palette.actions",
      label: t("palette.theme", { theme: t(`theme.${theme}`) }),
      run: () => setTheme(theme),
    })),
  ];
}
