/**
 * Takes `docs/console.png`: 1200 by 640, light theme; a picture in the tree stays below 200 kB.
 *
 * By default of a control plane and an agent that it starts itself, describing this machine. `DHARMA_PICTURE_URL`
 * names a page of a running one instead, `DHARMA_PICTURE_COOKIE` its session as `name=value`.
 */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, test } from "vitest";
import { Tab } from "./browser.ts";
import { World } from "./processes.ts";

const OUT = process.env["DHARMA_PICTURE_OUT"] ?? fileURLToPath(new URL("../../docs/console.png", import.meta.url));
const given = process.env["DHARMA_PICTURE_URL"];
const world = new World();
let tab: Tab | undefined;

afterAll(async () => {
  await tab?.close();
  await world.stop();
});

async function openGiven(url: string): Promise<Tab> {
  const opened = await Tab.open(new URL(url).origin);
  const [name = "", ...value] = (process.env["DHARMA_PICTURE_COOKIE"] ?? "").split("=");
  if (name) await opened.context.addCookies([{ name, value: value.join("="), url: new URL(url).origin }]);
  await opened.page.goto(url);
  return opened;
}

async function openOwn(): Promise<Tab> {
  await world.start();
  const opened = await Tab.open(world.address);
  const { page } = opened;
  await page.goto("/");
  await page.getByLabel("Setup code").fill(world.setupCode);
  await page.getByLabel("Password").fill("only for the picture");
  await page.getByRole("button", { name: "Create administrator" }).click();
  await page.getByRole("button", { name: "Create command" }).click();
  world.startAgent("agent", await page.getByRole("textbox", { name: "Run this on the machine" }).innerText());
  await page.getByText("The machine is in the inventory.").waitFor({ timeout: 120_000 });
  await page.getByRole("link", { name: "Open the host" }).click();
  await page.getByRole("link", { name: /^Packages \d/ }).waitFor({ timeout: 60_000 });
  // The picture is published: what a machine says of its processes and kernel is its owner's, its packages are Debian's.
  await page.setViewportSize({ width: 1200, height: 640 });
  await page.goto("/inventory?class=package&q=manager%3Ddpkg");
  await page.getByRole("row").nth(5).waitFor();
  return opened;
}

test("the picture of the console is taken", async () => {
  tab = given ? await openGiven(given) : await openOwn();
  const { page } = tab;
  await tab.theme("light");
  await page.locator("h1").first().waitFor();
  await page.locator(".loading, .cell-wait").first().waitFor({ state: "detached" });
  await page.getByRole("status").filter({ hasText: "Live" }).waitFor();
  mkdirSync(dirname(OUT), { recursive: true });
  await page.screenshot({ path: OUT });
});
