// A server for developing pages without a control plane: `npm run fixture`, then open its address.
//
// Deterministic data, development only: it is neither shipped nor used by any test that speaks of the product.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { makeWorld } from "./world.mjs";

const dist = fileURLToPath(new URL("../dist", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const CSP =
  "default-src 'self'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'self'; form-action 'self'";

const world = makeWorld();
let session = { setup_needed: process.env.SETUP === "1", user: process.env.SETUP === "1" ? null : { name: "admin", role: "administrator" } };
const streams = new Set();
let minted = 0;

const json = (response, body, status = 200) => {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
};
const problem = (response, status, title, detail, code) =>
  json(response, { type: "about:blank", title, status, detail, code, request_id: "fixture" }, status);

function matches(item, params) {
  const states = (params.get("state") ?? "").split(",").filter(Boolean);
  if (states.length ? !states.includes(item.state) : item.state === "retired") return false;
  if (params.get("parent") && item.parent_id !== params.get("parent")) return false;
  const text = (params.get("text") ?? "").toLowerCase();
  if (text && !text.split(/\s+/).every((word) => item.title.toLowerCase().includes(word))) return false;
  for (const [name, wanted] of params) {
    if (!name.startsWith("q_")) continue;
    const value = String(item.attributes[name.slice(2)]?.[0]?.value ?? "");
    if (wanted.startsWith("~") ? !value.toLowerCase().includes(wanted.slice(1).toLowerCase()) : value !== wanted) return false;
  }
  return true;
}

function paged(response, list, params, name) {
  const start = Number(params.get("page_token") || 0);
  const size = Number(params.get("page_size") || 100);
  const next = start + size < list.length ? String(start + size) : "";
  json(response, { [name]: list.slice(start, start + size), next_page_token: next });
}

function items(response, params) {
  const found = world.items.filter((item) => (!params.get("class") || item.class === params.get("class")) && matches(item, params));
  if (params.get("order") === "changed") found.sort((a, b) => b.revision - a.revision);
  paged(response, found, params, "items");
}

function counts(response, params) {
  const found = world.items.filter((item) => matches(item, params));
  const tally = new Map();
  for (const item of found) tally.set(item.class, (tally.get(item.class) ?? 0) + 1);
  const classes = [...tally].map(([name, count]) => ({ class: name, count }));
  const total = params.get("class") ? (classes.find((each) => each.class === params.get("class"))?.count ?? 0) : found.length;
  const connected = world.agents.filter((agent) => agent.state === "connected").length;
  json(response, { total, classes: classes.sort((a, b) => b.count - a.count), agents: { connected, total: process.env.EMPTY ? 0 : world.agents.length } });
}

const routes = [
  ["GET", /^session$/, (r) => json(r, session)],
  ["POST", /^(setup|login)$/, (r) => {
    session = { setup_needed: false, user: { name: "admin", role: "administrator" } };
    json(r, {});
  }],
  ["POST", /^logout$/, (r) => {
    session = { setup_needed: false, user: null };
    json(r, {});
  }],
  ["GET", /^classes$/, (r) => json(r, world.catalog)],
  ["GET", /^counts$/, (r, p) => counts(r, p)],
  ["GET", /^items$/, (r, p) => items(r, p)],
  ["GET", /^items\/([^/]+)$/, (r, _, [id]) => {
    const item = world.items.find((each) => each.id === id);
    return item ? json(r, item) : problem(r, 404, "not found", "there is no such item", "NOT_FOUND");
  }],
  ["GET", /^items\/([^/]+)\/relations$/, (r, p, [id]) => paged(r, world.relations.get(id) ?? [], p, "relations")],
  ["GET", /^items\/([^/]+)\/scopes$/, (r) => json(r, { scopes: world.scopes })],
  ["GET", /^items\/([^/]+)\/changes$/, (r, p, [id]) =>
    paged(r, world.changes.filter((c) => c.item_id === id || p.get("with_parts")), p, "changes")],
  ["GET", /^items\/([^/]+)\/moments$/, (r, p, [id]) => {
    const at = p.get("at") ?? "9999";
    const moments = world.changes.filter((c) => c.item_id === id).map((c) => c.observed_at).sort();
    json(r, { previous: moments.findLast((each) => each < at) ?? null, next: moments.find((each) => each > at) ?? null, first: moments[0] ?? null, last: moments.at(-1) ?? null });
  }],
  ["GET", /^history$/, (r) => json(r, { days: 400, kept_since: null })],
  ["GET", /^diff$/, (r, p) => json(r, { from: p.get("from"), to: p.get("to") ?? new Date().toISOString(), items: [], next_page_token: "" })],
  ["GET", /^possible-duplicates$/, (r) => json(r, { possible_duplicates: [], next_page_token: "" })],
  ["GET", /^held-retirements$/, (r) => json(r, { held_retirements: [], next_page_token: "" })],
  ["GET", /^changes$/, (r, p) =>
    paged(r, world.changes.filter((c) => (!p.get("class") || c.class === p.get("class")) && (!p.get("since") || c.observed_at >= p.get("since"))), p, "changes")],
  ["GET", /^agents$/, (r) => json(r, { agents: world.agents })],
  ["GET", /^agents\/([^/]+)$/, (r, _, [id]) => {
    const agent = world.agents.find((each) => each.id === id);
    return agent ? json(r, agent) : problem(r, 404, "not found", "there is no such agent", "NOT_FOUND");
  }],
  ["DELETE", /^agents\/([^/]+)$/, (r, _, [id]) => {
    const agent = world.agents.find((each) => each.id === id);
    if (agent) agent.state = "revoked";
    json(r, {});
  }],
  ["GET", /^tokens$/, (r) => json(r, { tokens: world.tokens })],
  ["POST", /^tokens$/, (r) => {
    minted = Date.now();
    json(r, { id: "t9", text: "dj_7f3k2.q8Zx.pin.c0de", expires_at: new Date(Date.now() + 3_600_000).toISOString(), command: "curl -fsSL http://127.0.0.1:7400/install.sh | sudo sh -s -- --token dj_7f3k2m9q.q8ZxVt3LrK0aYw1uPd5nBg.kq2Jx8mVnS4tLw7yRz3aBg.c0deAA" });
  }],
  ["DELETE", /^tokens\/([^/]+)$/, (r) => json(r, {})],
  ["GET", /^onboarding\/([^/]+)$/, (r) => {
    const done = Math.floor((Date.now() - minted) / 2000);
    const names = ["connected", "tls", "identity", "first_inventory"];
    json(r, {
      steps: names.map((name, index) => ({ name, state: index < done ? "done" : "waiting", detail: index < done && index === 3 ? "1,204 facts of 26 classes" : "", at: index < done ? new Date(minted).toISOString() : null })),
      agent_id: done > 2 ? world.agents[0].id : null,
      item_id: done > 3 ? world.items[0].id : null,
      hints: [],
    });
  }],
  ["GET", /^events$/, (r) => {
    r.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    r.write("event: ping\ndata: {}\n\n");
    streams.add(r);
    r.on("close", () => streams.delete(r));
  }],
];

setInterval(() => {
  const event = world.tick();
  for (const stream of streams) stream.write(`id: ${event.revision}\nevent: change\ndata: ${JSON.stringify(event)}\n\n`);
}, Number(process.env.TICK ?? 5000));

createServer(async (request, response) => {
  const url = new URL(request.url, "http://localhost");
  if (url.pathname.startsWith("/api/v1/")) {
    const path = decodeURIComponent(url.pathname.slice(8));
    for (const [method, pattern, answer] of routes) {
      const match = pattern.exec(path);
      if (method === request.method && match) return answer(response, url.searchParams, match.slice(1));
    }
    return problem(response, 404, "not found", "no such path", "NOT_FOUND");
  }
  const file = normalize(join(dist, url.pathname));
  const body = file.startsWith(dist) && extname(file) ? await readFile(file).catch(() => null) : null;
  const page = body ?? (await readFile(join(dist, "index.html")));
  response.writeHead(200, { "content-type": TYPES[body ? extname(file) : ".html"] ?? "application/octet-stream", "content-security-policy": CSP });
  response.end(page);
}).listen(Number(process.env.PORT ?? 7499), "127.0.0.1", function () {
  console.log(`http://127.0.0.1:${this.address().port}`);
});
