/** The console's texts. A second language is a second module with the same keys, loaded lazily by `useLanguage`. */
import { en } from "./en.ts";
import { formatMessage, type MessageParams } from "./format.ts";

export type MessageKey = keyof typeof en;
export type Messages = { [Key in MessageKey]: string };

const messages: Messages = en;

/** The language that texts, numbers and dates are written in. */
export const locale = "en";

/** The text of `key`, filled with `params`. */
export function t(key: MessageKey, params?: MessageParams): string {
  return formatMessage(locale, messages[key], params);
}

/** The text of a key that is built from data, or `fallback` where the catalogue has none. */
export function tOr(key: string, fallback: string): string {
  return key in messages ? messages[key as MessageKey] : fallback;
}
