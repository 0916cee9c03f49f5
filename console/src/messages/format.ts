/**
 * ICU-light: `{name}` and `{name, plural, one {# item} other {# items}}`, enough for the catalogue and testable.
 *
 * Deliberately not here: select, nested plurals, dates. Dates and numbers are formatted by `values/format.ts` first.
 */

export type MessageParams = { [name: string]: string | number };

const PLURAL = /^(\w+), plural, (.*)$/s;
const CASE = /(\w+|=\d+) \{([^{}]*)\}/g;

function plural(locale: string, count: number, cases: string): string {
  const rule = new Intl.PluralRules(locale).select(count);
  let chosen = "";
  for (const [, name, text] of cases.matchAll(CASE)) {
    if (name === `=${count}`) return (text ?? "").replaceAll("#", String(count));
    if (name === rule || (name === "other" && chosen === "")) chosen = text ?? "";
  }
  return chosen.replaceAll("#", new Intl.NumberFormat(locale).format(count));
}

/** The end of the placeholder that begins at `start`, braces counted. */
function closing(text: string, start: number): number {
  let depth = 0;
  for (let index = start; index < text.length; index += 1) {
    if (text[index] === "{") depth += 1;
    if (text[index] === "}") depth -= 1;
    if (depth === 0) return index;
  }
  return text.length;
}

/** Fills a message. A parameter that is missing stays visible as `{name}`, so that a test finds it. */
export function formatMessage(locale: string, message: string, params: MessageParams = {}): string {
  let result = "";
  let index = 0;
  while (index < message.length) {
    const open = message.indexOf("{", index);
    if (open < 0) return result + message.slice(index);
    const end = closing(message, open);
    const inside = message.slice(open + 1, end);
    const match = PLURAL.exec(inside);
    const name = match?.[1] ?? inside;
    const value = params[name];
    result += message.slice(index, open);
    if (value === undefined) result += `{${name}}`;
    else if (match) result += plural(locale, Number(value), match[2] ?? "");
    else result += typeof value === "number" ? new Intl.NumberFormat(locale).format(value) : value;
    index = end + 1;
  }
  return result;
}
