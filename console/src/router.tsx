/** All routes: what each address needs before it shows, and which chunk draws it. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { basePath } from "./api/client.ts";
import { catalogQuery, countsQuery, queryClient, sessionQuery } from "./api/queries.ts";
import { paths } from "./paths.ts";
import { changesSearch, inventorySearch, itemSearch, loginSearch, parseSearch, reviewSearch, stringifySearch } from "./search.ts";
import { CrashPage, NotFoundPage, RootLayout } from "./shell/Root.tsx";
import { Shell } from "./shell/Shell.tsx";

const root = createRootRoute({ component: RootLayout, notFoundComponent: NotFoundPage });

const session = () => queryClient.ensureQueryData(sessionQuery);

const setup = createRoute({
  getParentRoute: () => root,
  path: paths.setup,
  beforeLoad: async () => {
    const { setup_needed, user } = await session();
    if (!setup_needed) throw redirect({ to: user ? paths.home : paths.login });
  },
  component: lazyRouteComponent(() => import("./pages/setup.tsx"), "SetupPage"),
});

const login = createRoute({
  getParentRoute: () => root,
  path: paths.login,
  validateSearch: loginSearch,
  beforeLoad: async () => {
    const { setup_needed, user } = await session();
    if (setup_needed) throw redirect({ to: paths.setup });
    if (user) throw redirect({ to: paths.home });
  },
  component: lazyRouteComponent(() => import("./pages/login.tsx"), "LoginPage"),
});

/** Everything behind a login. */
const inside = createRoute({
  getParentRoute: () => root,
  id: "inside",
  beforeLoad: async ({ location }) => {
    const { setup_needed, user } = await session();
    if (setup_needed) throw redirect({ to: paths.setup });
    if (!user) throw redirect({ to: paths.login, search: { next: location.href } });
  },
  loader: () => queryClient.ensureQueryData(catalogQuery),
  component: Shell,
});

const home = createRoute({
  getParentRoute: () => inside,
  path: paths.home,
  beforeLoad: async () => {
    const { agents } = await queryClient.fetchQuery(countsQuery());
    if (agents.total === 0) throw redirect({ to: paths.agentAdd });
    throw redirect({ to: paths.inventory, search: { class: "host" } });
  },
});

const inventory = createRoute({
  getParentRoute: () => inside,
  path: paths.inventory,
  validateSearch: inventorySearch,
  component: lazyRouteComponent(() => import("./pages/inventory.tsx"), "InventoryPage"),
});

const item = createRoute({
  getParentRoute: () => inside,
  path: paths.item,
  validateSearch: itemSearch,
  component: lazyRouteComponent(() => import("./pages/item.tsx"), "ItemPage"),
});

const changes = createRoute({
  getParentRoute: () => inside,
  path: paths.changes,
  validateSearch: changesSearch,
  component: lazyRouteComponent(() => import("./pages/changes.tsx"), "ChangesPage"),
});

const review = createRoute({
  getParentRoute: () => inside,
  path: paths.review,
  validateSearch: reviewSearch,
  component: lazyRouteComponent(() => import("./pages/review.tsx"), "ReviewPage"),
});

const agents = createRoute({
  getParentRoute: () => inside,
  path: paths.agents,
  component: lazyRouteComponent(() => import("./pages/agents.tsx"), "AgentsPage"),
});

const agentAdd = createRoute({
  getParentRoute: () => inside,
  path: paths.agentAdd,
  component: lazyRouteComponent(() => import("./pages/agent-add.tsx"), "AgentAddPage"),
});

const agent = createRoute({
  getParentRoute: () => inside,
  path: paths.agent,
  component: lazyRouteComponent(() => import("./pages/agent.tsx"), "AgentPage"),
});

const tokens = createRoute({
  getParentRoute: () => inside,
  path: paths.tokens,
  component: lazyRouteComponent(() => import("./pages/tokens.tsx"), "TokensPage"),
});

const targets = createRoute({
  getParentRoute: () => inside,
  path: paths.targets,
  component: lazyRouteComponent(() => import("./pages/targets.tsx"), "TargetsPage"),
});

const target = createRoute({
  getParentRoute: () => inside,
  path: paths.target,
  component: lazyRouteComponent(() => import("./pages/target.tsx"), "TargetPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([
    setup,
    login,
    inside.addChildren([home, inventory, item, changes, review, agents, agentAdd, agent, targets, target, tokens]),
  ]),
  basepath: basePath(),
  defaultPreload: "intent",
  defaultErrorComponent: CrashPage,
  parseSearch,
  stringifySearch,
  scrollRestoration: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
