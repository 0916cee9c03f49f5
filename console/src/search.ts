/** View state in the URL as plain parameters, so that addresses can be read, written by hand and shared. */

/** `?a=b` as an object; every value is a text. */
export function parseSearch(search: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(search));
}

/** An object as `?a=b`; what is empty is left out. Commas stay readable. */
export function stringifySearch(search: Record<string, unknown>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    if (value !== undefined && value !== null && value !== "") params.set(name, String(value));
  }
  const text = params.toString().replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%2F", "/");
  return text === "" ? "" : `?${text}`;
}

type Search = Record<string, unknown>;

const text = (search: Search, name: string): string | undefined => {
  const value = search[name];
  return typeof value === "string" && value !== "" ? value : undefined;
};

/** A moment as the API takes it; what is none is left out. */
const moment = (search: Search, name: string): string | undefined => {
  const value = new Date(text(search, name) ?? "");
  return Number.isNaN(value.getTime()) ? undefined : value.toISOString();
};

const oneOf = <T extends string>(search: Search, name: string, values: readonly T[]): T | undefined =>
  values.find((value) => value === search[name]);

export const ITEM_STATES = ["active", "missing", "stale", "retired"] as const;
export const ORDERS = ["title", "changed"] as const;
export const ITEM_TABS = ["summary", "relations", "changes", "identity"] as const;
export const REVIEW_TABS = ["queue", "decisions", "held"] as const;
export const SPANS = ["1h", "24h", "7d", "all"] as const;

export interface InventorySearch {
  class?: string;
  state?: (typeof ITEM_STATES)[number];
  q?: string;
  parent?: string;
  order?: (typeof ORDERS)[number];
  columns?: string;
  /** The past moment that is looked at. */
  at?: string;
}

export const inventorySearch = (search: Search): InventorySearch => ({
  class: text(search, "class"),
  state: oneOf(search, "state", ITEM_STATES),
  q: text(search, "q"),
  parent: text(search, "parent"),
  order: oneOf(search, "order", ORDERS),
  columns: text(search, "columns"),
  at: moment(search, "at"),
});

export interface ItemSearch {
  tab?: (typeof ITEM_TABS)[number];
  parts?: "true";
  /** The past moment that is looked at. */
  at?: string;
}

export const itemSearch = (search: Search): ItemSearch => ({
  tab: oneOf(search, "tab", ITEM_TABS),
  parts: oneOf(search, "parts", ["true"]),
  at: moment(search, "at"),
});

export interface ChangesSearch {
  class?: string;
  since?: (typeof SPANS)[number];
}

export const changesSearch = (search: Search): ChangesSearch => ({
  class: text(search, "class"),
  since: oneOf(search, "since", SPANS),
});

export interface ReviewSearch {
  tab?: (typeof REVIEW_TABS)[number];
  class?: string;
}

export const reviewSearch = (search: Search): ReviewSearch => ({
  tab: oneOf(search, "tab", REVIEW_TABS),
  class: text(search, "class"),
});

export interface LoginSearch {
  next?: string;
}

/** Only addresses of the console itself: what follows a login must never leave it. */
export const loginSearch = (search: Search): LoginSearch => {
  const next = text(search, "next");
  return { next: next?.startsWith("/") && !next.startsWith("//") ? next : undefined };
};
