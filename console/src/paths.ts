import { basePath } from "./api/client.ts";

/** Every address of the console, so that no component spells one itself. */
export const paths = {
  home: "/",
  setup: "/setup",
  login: "/login",
  inventory: "/inventory",
  item: "/items/$id",
  changes: "/changes",
  review: "/review",
  agents: "/agents",
  agent: "/agents/$id",
  agentAdd: "/agents/add",
  targets: "/targets",
  target: "/targets/$name",
  tokens: "/settings/tokens",
} as const;

/** The address of an item for a plain anchor, where a router's link would cost too much: one in every row of a table. */
export const itemAddress = (id: string, at?: string): string =>
  `${basePath()}items/${encodeURIComponent(id)}${at ? `?at=${at}` : ""}`;
