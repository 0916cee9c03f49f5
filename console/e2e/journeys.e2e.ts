/**
 * What people do with the console, against a real control plane and a real agent of this machine.
 *
 * The tests build on each other as a first hour does: setup, first agent, inventory, one item, changes, revocation.
 */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Tab } from "./browser.ts";
import { World, until } from "./processes.ts";

const world = new World();
let tab: Tab;

const NAME = "admin";
const PASSWORD = "a sentence that nobody else says";
/** From the command to the host in the inventory. */
const FIRST_HOST_MILLISECONDS = 60_000;

/** From a new listener to its row: the agent looks at processes once a minute. */
const FRESH_MILLISECONDS = 90_000;

const heading = (name: string | RegExp) => tab.page.getByRole("heading", { level: 1, name });
const grid = () => tab.page.getByRole("grid");
const rows = () => grid().getByRole("row").filter({ has: tab.page.getByRole("gridcell") });

async function open(path: string): Promise<void> {
  await tab.page.goto(path);
}

/** The first item of a class, asked as the console asks. */
async function firstItem(className: string): Promise<{ id: string; title: string }> {
  const answer = await tab.page.evaluate(
    async (name) => (await fetch(`/api/v1/items?class=${name}&page_size=1`)).json(),
    className,
  );
  return (answer as { items: { id: string; title: string }[] }).items[0] ?? { id: "", title: "" };
}

/** Asks the API as the console does: same session, same header. */
async function call(method: string, path: string, body?: unknown): Promise<unknown> {
  return tab.page.evaluate(
    async ([how, where, text]) => {
      const headers = { "x-dharma-csrf": "1", "content-type": "application/json" };
      const answer = await (await fetch(`/api/v1/${where}`, { method: how, headers, ...(text ? { body: text } : {}) })).text();
      return answer === "" ? null : (JSON.parse(answer) as unknown);
    },
    [method, path, body === undefined ? "" : JSON.stringify(body)] as const,
  );
}

/** The id of the agent that was enrolled last. */
async function newestAgent(): Promise<string> {
  const answer = await tab.page.evaluate(async () => (await fetch("/api/v1/agents")).json());
  const { agents } = answer as { agents: { id: string; enrolled_at: string }[] };
  return agents.toSorted((one, other) => other.enrolled_at.localeCompare(one.enrolled_at))[0]?.id ?? "";
}

beforeAll(async () => {
  await world.start();
  tab = await Tab.open(world.address);
});

afterAll(async () => {
  await tab?.close();
  await world.stop();
});

test("a wrong setup code is refused with a sentence", async () => {
  await open("/");
  await heading("Set up Dharma").waitFor();
  await tab.page.getByLabel("Setup code").fill("AAAA-AAAA");
  await tab.page.getByLabel("Password").fill(PASSWORD);
  await tab.page.getByRole("button", { name: "Create administrator" }).click();
  expect((await tab.page.getByRole("alert").innerText()).length).toBeGreaterThan(10);
});

test("the setup code makes the first administrator and leads to the first agent", async () => {
  await tab.page.getByLabel("Setup code").fill(world.setupCode);
  await tab.page.getByLabel("Name").fill(NAME);
  await tab.page.getByRole("button", { name: "Create administrator" }).click();
  await heading("Add your first agent").waitFor();
  expect(new URL(tab.page.url()).pathname).toBe("/agents/add");
});

test("the first agent's steps are shown and its host appears within a minute", async () => {
  await tab.page.getByRole("button", { name: "Create command" }).click();
  const command = await tab.page.getByRole("textbox", { name: "Run this on the machine" }).innerText();
  const steps = tab.page.getByRole("list").filter({ hasText: "First inventory" });
  await steps.getByText("waiting", { exact: true }).nth(3).waitFor();
  const started = Date.now();
  world.startAgent("agent", command);
  await tab.page.getByText("The machine is in the inventory.").waitFor({ timeout: FIRST_HOST_MILLISECONDS });
  expect(Date.now() - started).toBeLessThan(FIRST_HOST_MILLISECONDS);
  expect(await steps.getByText("done", { exact: true }).count()).toBe(4);
  await tab.page.getByRole("link", { name: "Open the host" }).click();
  await tab.page.waitForURL(/\/items\//);
});

test("an item says what it is, who says so, and what nobody looked at", async () => {
  const { id, title } = await firstItem("host");
  await open(`/items/${id}`);
  await heading(title).waitFor();
  await tab.page.getByRole("button", { name: /^Where “Kernel” comes from/ }).click();
  const panel = tab.page.getByRole("dialog", { name: /^Where “Kernel” comes from/ });
  await panel.getByText("Source", { exact: true }).waitFor();
  expect(await panel.getByText("Confidence").count()).toBe(1);
  await tab.page.keyboard.press("Escape");
  await panel.waitFor({ state: "hidden" });
  const unseen = tab.page.getByRole("region", { name: "Not looked at" });
  await unseen.getByText("Nobody has said anything about these. That is not the same as none.").waitFor();
});

test("a host has parts, and each count leads to exactly these", async () => {
  const part = tab.page.getByRole("link", { name: /^Processes \d/ }).first();
  const count = Number(((await part.innerText()).match(/[\d,]+/)?.[0] ?? "0").replaceAll(",", ""));
  expect(count).toBeGreaterThan(0);
  await part.click();
  await heading("Processes").waitFor();
  await until("the table knows its rows", 20_000, async () =>
    (await grid().getAttribute("aria-rowcount")) === String(count + 1) ? true : null,
  );
});

test("relationships are shown from both ends", async () => {
  // This very control plane listens, and the agent sees it do so; another one may run beside it.
  const { port } = new URL(world.address);
  await open(`/inventory?class=listening_endpoint&q=${encodeURIComponent(`program:dharma-control-plane port:${port}`)}`);
  await rows().first().getByRole("link").click();
  await tab.page.getByRole("link", { name: "Relations" }).click();
  await tab.page.getByRole("heading", { level: 2, name: "served by" }).waitFor();
  // The browser of this test may be related to it too, because it is connected.
  await tab.page.getByRole("group", { name: "served by" }).getByRole("link").first().click();
  // Otherwise the next click may still meet the page that is being left.
  await tab.page.getByRole("heading", { level: 2, name: "served by" }).waitFor({ state: "detached" });
  await tab.page.getByRole("link", { name: "Relations" }).click();
  await tab.page.getByRole("heading", { level: 2, name: "listens on" }).waitFor();
});

test("a filter lives in the address and survives a reload", async () => {
  await open("/inventory?class=package&q=bas");
  await rows().first().waitFor();
  await tab.page.reload();
  await rows().first().waitFor();
  for (const title of await rows().getByRole("link").allInnerTexts()) expect(title.toLowerCase()).toContain("bas");
  await open("/inventory?class=package&q=no_such_package_anywhere");
  await tab.page.getByText("Nothing matches").waitFor();
});

test("the inventory works with the keyboard alone", async () => {
  await open("/changes");
  await heading("Changes").waitFor();
  await tab.page.keyboard.press("g");
  await tab.page.keyboard.press("i");
  await heading("Hosts").waitFor();
  await open("/inventory?class=package");
  await rows().first().waitFor();
  await tab.page.keyboard.press("/");
  await tab.page.keyboard.type("lib");
  await tab.page.keyboard.press("Enter");
  await tab.page.waitForURL(/q=lib/);
  await rows().first().waitFor();
  // The box keeps the focus; Escape leaves it.
  await tab.page.keyboard.press("Escape");
  await tab.page.keyboard.press("j");
  await tab.page.keyboard.press("j");
  const chosen = grid().locator('[aria-selected="true"]');
  const title = (await chosen.getByRole("link").innerText()).trim();
  await tab.page.keyboard.press("Enter");
  await heading(title).waitFor();
  await tab.page.keyboard.press("Escape");
  await tab.page.waitForURL(/\/inventory/);
});

test("the palette finds an item and opens it", async () => {
  const { title } = await firstItem("host");
  await tab.page.keyboard.press("Control+k");
  await tab.page.getByRole("dialog").getByRole("combobox").fill(title);
  const option = tab.page.getByRole("option", { name: new RegExp(`^${title}.*Host$`) });
  await option.waitFor();
  await option.click();
  await heading(title).waitFor();
});

test("what changed stands in the feed", async () => {
  await open("/changes?since=all");
  const list = tab.page.getByRole("list", { name: "Changes, newest first" });
  await list.getByText("first seen").first().waitFor();
  await open("/changes?since=all&class=host");
  await list.getByRole("link").first().waitFor();
});

test("an item is shown as it was, and stepped from change to change, until it is now again", async () => {
  const { id, title } = await firstItem("host");
  await open(`/items/${id}`);
  await heading(title).waitFor();
  const bar = tab.page.getByRole("group", { name: "Moment that is shown" });
  expect(await bar.getByRole("button", { name: "Next change" }).isDisabled()).toBe(true);
  await bar.getByRole("link", { name: "Previous change" }).click();
  const banner = tab.page.getByRole("status").filter({ hasText: "You see the past" });
  await banner.waitFor();
  await banner.getByText("Live updates are paused here.").waitFor();
  // The first change of all is that it was seen; before it there is nothing to show.
  for (let steps = 0; steps < 200 && (await bar.getByRole("link", { name: "Previous change" }).count()) > 0; steps += 1) {
    const address = tab.page.url();
    await bar.getByRole("link", { name: "Previous change" }).click();
    await tab.page.waitForURL((url) => url.href !== address);
    await bar.getByRole("link", { name: "Next change" }).or(bar.getByRole("link", { name: "Previous change" })).first().waitFor();
    await settle();
  }
  await banner.getByText("first seen").waitFor();
  await banner.getByText("What is different now").click();
  await settle();
  expect(await tab.accessibility()).toEqual([]);
  const first = new URL(tab.page.url()).searchParams.get("at") ?? "";
  // Its sections stay in the past, and so do the tables behind its counts.
  await tab.page.getByRole("link", { name: "Relations", exact: true }).click();
  await tab.page.waitForURL((url) => url.searchParams.get("tab") === "relations" && url.searchParams.get("at") === first);
  await bar.getByLabel("As of").fill("2020-01-31T12:00:00");
  await bar.getByRole("button", { name: "Show", exact: true }).click();
  await tab.page.getByText("It was not there yet").waitFor();
  await settle();
  expect(await tab.accessibility()).toEqual([]);
  await bar.getByRole("link", { name: "Next change" }).click();
  await heading(title).waitFor();
  expect(new URL(tab.page.url()).searchParams.get("at")).toBe(first);
  await bar.getByRole("link", { name: "Back to now" }).click();
  await banner.waitFor({ state: "detached" });
  expect(new URL(tab.page.url()).searchParams.has("at")).toBe(false);
});

test("a list shows the past too, and says so", async () => {
  const { id } = await firstItem("host");
  const moments = (await tab.page.evaluate(async (host) => (await fetch(`/api/v1/items/${host}/moments`)).json(), id)) as { last: string };
  await open(`/inventory?class=host&at=${moments.last}`);
  await tab.page.getByRole("status").filter({ hasText: "You see the past" }).waitFor();
  await rows().first().getByRole("link").click();
  await tab.page.waitForURL((url) => url.pathname === `/items/${id}` && url.searchParams.get("at") === moments.last);
  await open("/inventory?class=host&at=2020-01-31T12:00:00.000Z");
  await tab.page.getByText("Nothing like that was there then").waitFor();
});

test("how long history is kept stands where history is shown", async () => {
  await open("/changes?since=all");
  await tab.page.getByText("History is kept for 400 days.").waitFor();
});

test("the stream is live, and says so", async () => {
  await tab.page.getByRole("status").filter({ hasText: "Live" }).waitFor();
});

test("a program that begins to listen appears while the page is open", async () => {
  await open("/inventory?class=listening_endpoint");
  await rows().first().waitFor();
  const server = createServer().listen(0, "127.0.0.1");
  try {
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const row = rows().filter({ hasText: `tcp/${port}` });
    expect(await row.count()).toBe(0);
    await until("the new listener is in the table", FRESH_MILLISECONDS, async () => {
      const bar = tab.page.getByRole("button", { name: /new items? · show/ });
      // Other programs of this machine may have begun to listen too: each time, what is new is shown.
      if ((await bar.count()) > 0) await bar.click();
      return (await row.count()) > 0 ? true : null;
    });
  } finally {
    server.close();
  }
});

test("an agent without rights says what it did not look at, and what would mend it", async () => {
  await open("/agents/add");
  await tab.page.getByText("1 agent is already enrolled.").waitFor();
  await tab.page.getByRole("button", { name: "Create command" }).click();
  world.startAgent("nobody", await tab.page.getByRole("textbox", { name: "Run this on the machine" }).innerText(), false);
  await tab.page.getByText("The machine is in the inventory.").waitFor({ timeout: FIRST_HOST_MILLISECONDS });
  await tab.page.getByRole("link", { name: "Open the host" }).click();
  const remedy = /run the agent as root or install the package/;
  await tab.page.getByRole("region", { name: "Not looked at" }).getByText(remedy).first().waitFor();
  await tab.page.getByRole("button", { name: /^Where “Kernel” comes from/ }).click();
  // Both agents of this machine say it; the one that came last has no rights.
  await tab.page.getByRole("dialog", { name: /^Where “Kernel”/ }).getByTitle(await newestAgent()).click();
  const scopes = tab.page.getByRole("group", { name: "Scopes" });
  await scopes.getByText(remedy).first().waitFor();
  await scopes.getByText("Partial").first().waitFor();
});

test("a step that fails says what happened and what to do", async () => {
  await open("/agents/add");
  await tab.page.getByRole("button", { name: "Create command" }).click();
  const command = await tab.page.getByRole("textbox", { name: "Run this on the machine" }).innerText();
  await world.enroll("first-use", command);
  await world.enroll("second-use", command);
  const step = tab.page.getByRole("listitem").filter({ hasText: "Identity" });
  await step.getByText("failed", { exact: true }).waitFor();
  await step.getByText(/already used 1 of 1 times: make a new one/).waitFor();
  await step.getByRole("textbox", { name: /what is wrong/ }).waitFor();
  expect(await tab.accessibility()).toEqual([]);
});

test("what is not there yet says why", async () => {
  await tab.page.getByRole("button", { name: /^Topology/ }).click();
  await tab.page.getByRole("dialog", { name: /^Topology/ }).getByText("comes with the topology work").waitFor();
  await tab.page.keyboard.press("Escape");
});

test("a token's secret is shown once", async () => {
  await open("/settings/tokens");
  await tab.page.getByLabel("Name").fill("nightly export");
  await tab.page.getByRole("button", { name: "Create token" }).click();
  const secret = tab.page.getByRole("textbox", { name: "For scripts" });
  expect(await secret.innerText()).toContain("dh_pat_");
  await tab.page.reload();
  await tab.page.getByRole("cell", { name: "nightly export", exact: true }).waitFor();
  expect(await secret.count()).toBe(0);
});

test("the theme is switched, kept, and follows to the next page", async () => {
  await open("/inventory?class=host");
  await tab.page.getByRole("button", { name: "Theme" }).click();
  await tab.page.getByRole("radio", { name: "Dark" }).check({ force: true });
  expect(await tab.page.locator("html").getAttribute("data-theme")).toBe("dark");
  await tab.page.reload();
  expect(await tab.page.locator("html").getAttribute("data-theme")).toBe("dark");
  await tab.theme("light");
});

async function connectedCount(): Promise<number> {
  const counts = await tab.page.evaluate(async () => (await fetch("/api/v1/counts")).json());
  return (counts as { agents: { connected: number } }).agents.connected;
}

async function routes(): Promise<string[]> {
  const { id } = await firstItem("host");
  const agents = (await tab.page.evaluate(async () => (await fetch("/api/v1/agents")).json())) as { agents: { id: string }[] };
  return [
    "/inventory?class=host",
    "/inventory",
    `/items/${id}`,
    `/items/${id}?tab=relations`,
    `/items/${id}?tab=changes`,
    `/items/${id}?tab=identity`,
    `/items/${id}?at=${new Date().toISOString()}`,
    "/changes",
    "/review",
    "/review?tab=decisions",
    "/review?tab=held",
    "/agents",
    "/agents/add",
    `/agents/${agents.agents[0]?.id}`,
    "/settings/tokens",
    "/no/such/page",
  ];
}

const settle = async () => {
  await tab.page.locator("h1, .empty-title").first().waitFor();
  await tab.page.locator(".loading").waitFor({ state: "detached" });
};

for (const theme of ["light", "dark", "contrast"]) {
  test(`every page is accessible (WCAG 2.2 AA): ${theme}`, async () => {
    await tab.theme(theme);
    for (const route of await routes()) {
      await open(route);
      await settle();
      expect(await tab.accessibility(), route).toEqual([]);
    }
    await tab.theme("light");
  });
}

test("overlays are accessible", async () => {
  await open("/inventory?class=host");
  await settle();
  await rows().first().waitFor();
  await tab.page.keyboard.press("Control+k");
  await tab.page.getByRole("dialog").getByRole("combobox").waitFor();
  expect(await tab.accessibility()).toEqual([]);
  await tab.page.keyboard.press("Escape");
  await tab.page.getByRole("dialog").waitFor({ state: "detached" });
  await tab.page.keyboard.press("?");
  await tab.page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  expect(await tab.accessibility()).toEqual([]);
  await tab.page.keyboard.press("Escape");
});

test("a dialog that opens while another one closes stays open", async () => {
  await open("/inventory?class=host");
  await settle();
  await tab.page.keyboard.press("Control+k");
  await tab.page.getByRole("dialog").getByRole("combobox").waitFor();
  // Both in one turn: the browser tells the page of the closed dialog only after the key was handled.
  await tab.page.evaluate(() => {
    document.querySelector("dialog")?.close();
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "?", bubbles: true }));
  });
  const keys = tab.page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await keys.waitFor();
  await tab.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  expect(await keys.isVisible()).toBe(true);
  await tab.page.keyboard.press("Escape");
});

test("a right-to-left page is the mirror image", async () => {
  await open("/inventory?class=host");
  await settle();
  await tab.page.evaluate(() => document.documentElement.setAttribute("dir", "rtl"));
  const rail = await tab.page.getByRole("navigation", { name: "Main" }).boundingBox();
  expect((rail?.x ?? 0) + (rail?.width ?? 0)).toBe(1440);
  const main = await tab.page.getByRole("main").boundingBox();
  expect(main?.x).toBe(0);
});

test("at 400 % zoom nothing has to be scrolled sideways to be read", async () => {
  await tab.page.setViewportSize({ width: 320, height: 640 });
  for (const route of await routes()) {
    await open(route);
    await settle();
    const width = await tab.page.evaluate(() => document.documentElement.scrollWidth);
    expect(width, route).toBeLessThanOrEqual(320);
  }
  await tab.page.setViewportSize({ width: 1440, height: 900 });
});

/** Makes rules live, and waits until everything was decided by them. */
async function applyRules(text: string): Promise<void> {
  await call("PUT", "identity/rules", { text });
  await until("the rules are applied", 60_000, async () => {
    const { rules } = (await call("GET", "identity/rules")) as { rules: { text: string; is_applied: boolean }[] };
    return rules[0]?.text === text && rules[0].is_applied ? true : null;
  });
}

const hostCount = async (): Promise<number> => ((await call("GET", "counts?class=host")) as { total: number }).total;
const queue = () => tab.page.getByRole("grid", { name: /^Pairs that wait/ });
const pairs = () => queue().getByRole("row");
const said = (text: string) => tab.page.getByRole("status").filter({ hasText: text });

test("a pair is merged with the keyboard alone, after what follows was shown, and taken back", async () => {
  // Two agents look at this one machine: by these rules that is not enough to make them one host.
  await applyRules('version = "cautious"\n[class.host]\nlink_at = 40\n');
  await open("/changes");
  await heading("Changes").waitFor();
  await tab.page.keyboard.press("g");
  await tab.page.keyboard.press("r");
  await heading("Review").waitFor();
  await pairs().first().waitFor();
  await tab.page.getByRole("group", { name: "Speaks for it" }).getByText("machine id").waitFor();
  for (const theme of ["light", "dark", "contrast"]) {
    await tab.theme(theme);
    await settle();
    expect(await tab.accessibility(), theme).toEqual([]);
  }
  await tab.theme("light");
  await tab.page.setViewportSize({ width: 320, height: 640 });
  expect(await tab.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
  await tab.page.setViewportSize({ width: 1440, height: 900 });
  const before = await hostCount();
  await tab.page.keyboard.press("j");
  await tab.page.keyboard.press("x");
  expect(await pairs().and(tab.page.locator('[aria-selected="true"]')).count()).toBe(1);
  await tab.page.keyboard.press("m");
  const dialog = tab.page.getByRole("dialog", { name: "Merge these two items?" });
  await dialog.getByText("1 item becomes part of another one.").waitFor();
  await dialog.getByText(/^takes over /).waitFor();
  expect(await tab.accessibility()).toEqual([]);
  expect(await hostCount(), "what was only shown has not been done").toBe(before);
  await tab.page.keyboard.press("Enter");
  await said("1 pair merged").waitFor();
  await tab.page.getByText("Nothing waits for you").waitFor();
  expect(await hostCount()).toBe(before - 1);
  expect(await tab.accessibility()).toEqual([]);
  await tab.page.keyboard.press("u");
  await said("Taken back").waitFor();
  await pairs().first().waitFor();
  expect(await hostCount()).toBe(before);
});

test("a pair that is kept apart waits no longer, until that is taken back among the decisions", async () => {
  await tab.page.keyboard.press("n");
  await tab.page.getByRole("dialog", { name: "Keep these two items apart?" }).getByText("No item changes.").waitFor();
  await tab.page.keyboard.press("Enter");
  await said("1 pair kept apart").waitFor();
  await tab.page.getByText("Nothing waits for you").waitFor();
  await tab.page.getByRole("link", { name: "Decisions", exact: true }).click();
  const row = tab.page.getByRole("row").filter({ hasText: "Kept apart by a person" });
  await row.getByText(NAME, { exact: true }).waitFor();
  await settle();
  expect(await tab.accessibility()).toEqual([]);
  await row.getByRole("button", { name: /^Take back/ }).click();
  await tab.page.getByText("Nobody has decided anything yet").waitFor();
  await tab.page.getByRole("link", { name: "Possibly the same", exact: true }).click();
  await pairs().first().waitFor();
});

test("whoever may not decide is told why", async () => {
  const reason = "this needs the role `editor`";
  await tab.page.route("**/api/v1/can*", async (route) => {
    const action = (name: string) => ({ action: name, is_allowed: false, code: "PERMISSION_DENIED", reason });
    await route.fulfill({ json: { actions: [action("identity_decide"), action("retirements_decide")] } });
  });
  await open("/review");
  await pairs().first().waitFor();
  await tab.page.getByText(reason).waitFor();
  expect(await tab.page.getByRole("button", { name: "Merge" }).isDisabled()).toBe(true);
  await tab.page.keyboard.press("m");
  expect(await tab.page.getByRole("dialog").count()).toBe(0);
  await tab.page.unroute("**/api/v1/can*");
});

test("what is held is shown with its items, and retiring them asks for their number", async () => {
  // This machine's agent holds nothing back; the tests of the API do the real thing.
  const items = ["a", "b", "c"].map((name) => ({ id: `01900000-0000-7000-8000-00000000000${name}`, class: "host", title: `${name}.example.net`, state: "active" }));
  const held = { id: "1-2", source: { collector: "ssh", target: "lab" }, scope: "hosts", agent_id: "", held_at: new Date().toISOString(), count: 13, of: 15 };
  await tab.page.route("**/api/v1/held-retirements?*", (route) => route.fulfill({ json: { held_retirements: [held], next_page_token: "" } }));
  await tab.page.route("**/api/v1/held-retirements/*/items?*", (route) => route.fulfill({ json: { items, total: 13, next_page_token: "" } }));
  await open("/review?tab=held");
  await tab.page.getByRole("button", { name: "Show 13 items" }).click();
  await tab.page.getByRole("link", { name: "c.example.net" }).waitFor();
  await settle();
  expect(await tab.accessibility()).toEqual([]);
  await tab.page.getByRole("button", { name: "Retire now" }).click();
  const dialog = tab.page.getByRole("dialog");
  await dialog.getByRole("textbox", { name: "Type 13 to confirm" }).fill("12");
  expect(await dialog.getByRole("button", { name: "Retire now" }).isDisabled()).toBe(true);
  await dialog.getByRole("textbox").fill("13");
  expect(await dialog.getByRole("button", { name: "Retire now" }).isDisabled()).toBe(false);
  expect(await tab.accessibility()).toEqual([]);
  await tab.page.keyboard.press("Escape");
  await tab.page.unroute("**/api/v1/held-retirements?*");
  await tab.page.unroute("**/api/v1/held-retirements/*/items?*");
});

test("an item says why it is one, and is divided and made whole again there", async () => {
  await applyRules('version = "as built in"\n');
  await until("the machine is one host again", 30_000, async () => {
    const { items } = (await call("GET", "items?class=host")) as { items: { id: string }[] };
    for (const { id } of items) {
      const found = (await call("GET", `items/${id}/explanation`)) as { sightings: unknown[] };
      if (found.sightings.length > 1) {
        await open(`/items/${id}?tab=identity`);
        return true;
      }
    }
    return null;
  });
  const before = await hostCount();
  const divide = tab.page.getByRole("button", { name: "Divide" });
  await tab.page.getByRole("group", { name: "Evidence between them" }).getByText("1 and 2").waitFor();
  expect(await divide.isDisabled()).toBe(true);
  await tab.page.getByRole("checkbox", { name: "Select sighting 2" }).check();
  await settle();
  expect(await tab.accessibility()).toEqual([]);
  await divide.click();
  const dialog = tab.page.getByRole("dialog", { name: "Divide this item?" });
  await dialog.getByText("1 item is divided.").waitFor();
  await dialog.getByRole("button", { name: "Divide" }).click();
  await said("Divided").waitFor();
  expect(await hostCount()).toBe(before + 1);
  await tab.page.getByRole("button", { name: "Undo" }).click();
  await said("Taken back").waitFor();
  expect(await hostCount()).toBe(before);
});

test("revoking an agent asks for its name, and ends its connection", async () => {
  await open("/agents");
  await tab.page.getByRole("row").filter({ has: tab.page.getByRole("cell", { name: "Connected", exact: true }) }).first().getByRole("link").click();
  const before = await connectedCount();
  await tab.page.getByRole("button", { name: "Revoke" }).click();
  const dialog = tab.page.getByRole("dialog");
  const confirm = dialog.getByRole("button", { name: "Revoke" });
  expect(await confirm.isDisabled()).toBe(true);
  const name = ((await dialog.getByRole("heading").innerText()).match(/^Revoke (.*)\?$/) ?? [])[1] ?? "";
  await dialog.getByRole("textbox").fill(name);
  await confirm.click();
  await dialog.waitFor({ state: "hidden" });
  await tab.page.getByText("Revoked").first().waitFor();
  expect(await tab.page.getByRole("button", { name: "Revoke" }).isDisabled()).toBe(true);
  await until("its stream is cut", 15_000, async () => ((await connectedCount()) === before - 1 ? true : null));
});

test("after logging out, a page leads to the login and back", async () => {
  await open("/changes");
  await tab.page.getByRole("button", { name: /^Account/ }).click();
  await tab.page.getByRole("button", { name: "Log out" }).click();
  await heading("Log in").waitFor();
  expect(await tab.accessibility()).toEqual([]);
  await open("/agents");
  await heading("Log in").waitFor();
  await tab.page.getByLabel("Name").fill(NAME);
  await tab.page.getByLabel("Password").fill(PASSWORD);
  await tab.page.getByRole("button", { name: "Log in" }).click();
  await heading("Agents").waitFor();
});

test("a session that ends elsewhere leads to the login, and back to the same page", async () => {
  await open("/inventory?class=package");
  await rows().first().waitFor();
  await tab.context.clearCookies();
  // The open page may ask something in the background and notice by itself, before the click arrives.
  const click = tab.page.getByRole("link", { name: "Changes", exact: true }).click();
  await Promise.race([click.catch(() => undefined), heading("Log in").waitFor()]);
  await heading("Log in").waitFor();
  await tab.page.getByLabel("Name").fill(NAME);
  await tab.page.getByLabel("Password").fill(PASSWORD);
  await tab.page.getByRole("button", { name: "Log in" }).click();
  await tab.page.waitForURL((url) => ["/changes", "/inventory"].includes(url.pathname));
  await rows().or(heading("Changes")).first().waitFor();
});

test("no page asked another origin for anything, and none had an error", () => {
  expect([...tab.origins]).toEqual([world.address]);
  expect(tab.errors).toEqual([]);
});

test("every question that was asked stands in the OpenAPI document", async () => {
  const document = (await (await fetch(`${world.address}/api/openapi.json`)).json()) as { paths: Record<string, object> };
  const known = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => new RegExp(`^${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`)),
  );
  const unknown = [...tab.asked].filter((question) => !known.some((pattern) => pattern.test(question)));
  expect(unknown).toEqual([]);
});
