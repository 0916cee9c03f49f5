/** Values as people read them: units always, exact numbers where they are exact, times relative with the moment on hover. */
import type { AttributeDefinition, Unit, Value } from "../api/types.ts";
import { locale, t } from "../messages/index.ts";

const whole = new Intl.NumberFormat(locale);
const short = new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 });
const decimal = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
const moment = new Intl.DateTimeFormat(locale, {
  year: "numeric",
  month: "short",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "narrow" });

export const formatNumber = (value: number): string =>
  Number.isInteger(value) ? whole.format(value) : decimal.format(value);

/** A size in binary steps; `1,024 B` and above are told in KiB, MiB, … */
export function formatBytes(bytes: number): string {
  const names = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let value = bytes;
  let step = 0;
  while (Math.abs(value) >= 1024 && step < names.length - 1) {
    value /= 1024;
    step += 1;
  }
  return `${step === 0 ? whole.format(value) : short.format(value)} ${names[step]}`;
}

/** A number in decimal steps, such as `1 Gbit/s`. */
function formatSteps(value: number, unit: string): string {
  const names = ["", "k", "M", "G", "T"];
  let rest = value;
  let step = 0;
  while (Math.abs(rest) >= 1000 && step < names.length - 1) {
    rest /= 1000;
    step += 1;
  }
  return `${short.format(rest)} ${names[step]}${unit}`;
}

/** A duration by its two largest parts: `3 d 4 h`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${decimal.format(seconds)} s`;
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor((seconds % 86_400) / 3_600), "h"],
    [Math.floor((seconds % 3_600) / 60), "min"],
    [Math.floor(seconds % 60), "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  const shown = parts.slice(first, first + 2).filter(([count]) => count > 0);
  return shown.map(([count, name]) => `${whole.format(count)} ${name}`).join(" ");
}

export function formatUnit(value: number, unit: Unit): string {
  switch (unit) {
    case "bytes":
      return formatBytes(value);
    case "bits_per_second":
      return formatSteps(value, "bit/s");
    case "hertz":
      return formatSteps(value, "Hz");
    case "seconds":
      return formatSeconds(value);
    case "milliseconds":
      return `${formatNumber(value)} ms`;
    case "percent":
      return `${decimal.format(value)} %`;
    case "celsius":
      return `${decimal.format(value)} ${t("unit.celsius")}`;
    case "revolutions_per_minute":
      return `${formatNumber(value)} ${t("unit.rpm")}`;
    case "volts":
      return `${decimal.format(value)} ${t("unit.volts")}`;
    case "watts":
      return `${decimal.format(value)} ${t("unit.watts")}`;
    case "":
      return formatNumber(value);
  }
}

/** Identifiers are numbers by form only: `1000` is a user, not a thousand. */
const PLAIN_NUMBERS = /(^|_)(uid|gid|pid|port|vlan_id|priority|metric)$/;

/** Sizes that people know by their number of bytes: an MTU is 1,500 B, a sector 4,096 B. */
const EXACT_SIZES = /^(mtu|sector)_/;

/** One value on one line. `null` is "none"; the caller tells "not looked at" apart, which has no value. */
export function formatValue(value: Value, attribute?: AttributeDefinition): string {
  if (value === null || value === "") return t("common.none");
  if (typeof value === "boolean") return t(value ? "common.yes" : "common.no");
  if (typeof value === "number") {
    if (attribute && PLAIN_NUMBERS.test(attribute.name)) return String(value);
    if (attribute && EXACT_SIZES.test(attribute.name)) return `${formatNumber(value)} B`;
    return formatUnit(value, attribute?.unit ?? "");
  }
  if (typeof value === "string") return attribute?.kind === "time" ? formatMoment(value) : value;
  if (Array.isArray(value)) return value.map((one) => formatValue(one)).join(", ");
  return Object.entries(value)
    .map(([name, one]) => `${name}: ${formatValue(one)}`)
    .join(", ");
}

/** The moment in the browser's zone. */
export function formatMoment(time: string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time : moment.format(date);
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** How long ago, or in how long: `5 min ago`. */
export function formatAge(time: string | number, now: number): string {
  const seconds = (new Date(time).getTime() - now) / 1000;
  for (const [unit, length] of STEPS) {
    if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit);
  }
  return Math.abs(seconds) < 10 ? t("common.now") : relative.format(Math.trunc(seconds), "second");
}

/** The exact moment in UTC, for hovering. */
export const formatUtc = (time: string): string => time.replace("T", " ").replace(/\.\d+Z$|Z$/, " UTC");
