/**
 * The filter box of the inventory: words, and conditions on attributes.
 *
 * `name:part` contains, `name=value` is equal, `name!=value` is not, `>` `>=` `<` `<=` compare. Quotes hold blanks
 * together. Words and conditions must all hold. It is turned into parameters of `/api/v1/items`.
 */
import type { Params } from "../api/client.ts";

export interface Condition {
  name: string;
  operator: ":" | "=" | "!=" | ">" | ">=" | "<" | "<=";
  value: string;
}

export interface ParsedQuery {
  text: string;
  conditions: Condition[];
}

/** The API takes 32 conditions; more are left to it to refuse. */
const TOKEN = /([a-z][a-z0-9_]*)(!=|>=|<=|[:=<>])("[^"]*"|\S+)|"([^"]*)"|(\S+)/g;

export function parseQuery(query: string): ParsedQuery {
  const words: string[] = [];
  const conditions: Condition[] = [];
  for (const [, name, operator, value, quoted, word] of query.matchAll(TOKEN)) {
    if (name === undefined || value === undefined) words.push(quoted ?? word ?? "");
    else {
      const text = value.replace(/^"|"$/g, "");
      conditions.push({ name, operator: operator as Condition["operator"], value: text });
    }
  }
  return { text: words.join(" ").trim(), conditions };
}

/** How the API spells each comparison before the value. */
const PREFIX: { [operator in Condition["operator"]]: string } = {
  ":": "~",
  "=": "",
  "!=": "!",
  ">": ">",
  ">=": ">=",
  "<": "<",
  "<=": "<=",
};

export function queryParams(query: string): Params {
  const { text, conditions } = parseQuery(query);
  const params: Params = { text };
  for (const { name, operator, value } of conditions) {
    params[`q_${name}`] = PREFIX[operator] + value;
  }
  return params;
}
