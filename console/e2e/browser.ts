/** Chromium as the tests use it: one context, all requests and errors recorded, axe at hand. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, type BrowserContext, type Page, chromium } from "playwright-core";

const FLAGS =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split(" ");

const PLACES = [process.env["DHARMA_CHROMIUM"], "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface AxeResult {
  violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
}

/** How long a page may take to come to rest before what axe finds is held against it. */
const REST_MILLISECONDS = 5_000;

export class Tab {
  readonly origins = new Set<string>();
  /** What was asked of the API, as `GET /api/v1/items`. */
  readonly asked = new Set<string>();
  readonly errors: string[] = [];
  private constructor(
    private readonly browser: Browser,
    readonly context: BrowserContext,
    readonly page: Page,
  ) {
    page.on("request", (request) => {
      const url = new URL(request.url());
      if (url.protocol !== "data:" && url.protocol !== "blob:") this.origins.add(url.origin);
      if (url.pathname.startsWith("/api/")) this.asked.add(`${request.method()} ${url.pathname}`);
    });
    page.on("pageerror", (error) => this.errors.push(error.message));
    page.on("console", (message) => {
      // A refused question is told by the page itself; what the browser says of policy and code is ours to mend.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) this.errors.push(message.text());
    });
  }

  static async open(address: string): Promise<Tab> {
    const executablePath = PLACES.find((path) => path && existsSync(path));
    if (!executablePath) throw new Error("there is no Chromium: install the package `chromium`, or name it in DHARMA_CHROMIUM");
    const browser = await chromium.launch({ executablePath, args: FLAGS });
    const context = await browser.newContext({ baseURL: address, viewport: { width: 1440, height: 900 }, locale: "en-US", timezoneId: "UTC" });
    context.setDefaultTimeout(30_000);
    return new Tab(browser, context, await context.newPage());
  }

  async theme(theme: string): Promise<void> {
    await this.page.evaluate((name) => {
      localStorage.setItem("dharma.theme", name);
      document.documentElement.dataset["theme"] = name;
    }, theme);
  }

  /**
   * What axe finds against WCAG 2.2 AA, as one text a finding.
   *
   * A page that is live is sometimes caught between two states, such as a dialog that still fades in: what is found
   * must still be there when the page has come to rest.
   */
  async accessibility(): Promise<string[]> {
    const end = Date.now() + REST_MILLISECONDS;
    for (;;) {
      await this.rest();
      const found = await this.findings();
      if (found.length === 0 || Date.now() > end) return found;
    }
  }

  /** Waits until everything that moves and comes to an end has ended. */
  private async rest(): Promise<void> {
    await this.page.evaluate(async () => {
      const ending = document.getAnimations().filter((animation) => animation.effect?.getComputedTiming().endTime !== Infinity);
      await Promise.allSettled(ending.map((animation) => animation.finished));
    });
  }

  private async findings(): Promise<string[]> {
    await this.page.evaluate(axe);
    const result = (await this.page.evaluate(async () => {
      const run = (window as unknown as { axe: { run: (context: unknown, options: unknown) => Promise<unknown> } }).axe.run;
      return run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"] });
    })) as AxeResult;
    return result.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`).join(" | ")}`);
  }

  async close(): Promise<void> {
    await this.browser.close();
  }
}
