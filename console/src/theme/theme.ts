/** Theme and density: chosen by the person, kept in local storage, followed from the system otherwise. */
import { useSyncExternalStore } from "react";

export const THEMES = ["system", "light", "dark", "contrast"] as const;
export const DENSITIES = ["compact", "comfortable"] as const;
export type Theme = (typeof THEMES)[number];
export type Density = (typeof DENSITIES)[number];

interface Preferences {
  theme: Theme;
  density: Density;
  /** Whether single keys are shortcuts (WCAG 2.1.4 lets people turn them off). */
  keys: boolean;
}

const listeners = new Set<() => void>();

function read(key: string): string | null {
  try {
    return window.localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    window.localStorage.setItem(key, value);
  } catch {
    // A browser that keeps nothing still shows the choice until the page is closed.
  }
}

function load(): Preferences {
  const theme = THEMES.find((name) => name === read("dharma.theme")) ?? "system";
  const density = DENSITIES.find((name) => name === read("dharma.density")) ?? "compact";
  return { theme, density, keys: read("dharma.keys") !== "off" };
}

let preferences = load();
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const contrast = window.matchMedia("(prefers-contrast: more)");

function apply(): void {
  const root = document.documentElement;
  const system = contrast.matches ? "contrast" : dark.matches ? "dark" : "light";
  root.dataset["theme"] = preferences.theme === "system" ? system : preferences.theme;
  root.dataset["density"] = preferences.density;
}

dark.addEventListener("change", apply);
contrast.addEventListener("change", apply);

function change(next: Partial<Preferences>): void {
  preferences = { ...preferences, ...next };
  write("dharma.theme", preferences.theme);
  write("dharma.density", preferences.density);
  write("dharma.keys", preferences.keys ? "on" : "off");
  apply();
  for (const listener of listeners) listener();
}

export const setTheme = (theme: Theme): void => change({ theme });
export const setDensity = (density: Density): void => change({ density });
export const setKeys = (keys: boolean): void => change({ keys });
export const currentPreferences = (): Preferences => preferences;

export function usePreferences(): Preferences {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, currentPreferences);
}
