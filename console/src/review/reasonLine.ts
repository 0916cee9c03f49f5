/** Reasons in words. */
import { tOr } from "../messages/index.ts";
import type { Reason } from "./types.ts";

/** The name of a kind of key as people read it: `machine_id` is a machine id. */
export const keyName = (key: string): string => tOr(`key.${key}`, key.replaceAll("_", " "));

/** Bits with their sign; the minus is the one that screen readers say. */
export const signed = (bits: number): string => (bits < 0 ? `−${-bits}` : `+${bits}`);

/** The reasons of a sum on one line: `machine id +18, name +8`. */
export const reasonLine = (reasons: Reason[]): string => reasons.map(({ key_type, bits }) => `${keyName(key_type)} ${signed(bits)}`).join(", ");
