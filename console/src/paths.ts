/** Every address of the console, so that no component spells one itself. */
export const paths = {
  home: "/",
  setup: "/setup",
  login: "/login",
  inventory: "/inventory",
  item: "/items/$id",
  changes: "/changes",
  agents: "/agents",
  agent: "/agents/$id",
  agentAdd: "/agents/add",
  tokens: "/settings/tokens",
} as const;
