/** The shapes of the review queue's part of the REST API. */
import type { NamedItem, Source, Value } from "../api/types.ts";

/** Two items that wait for a person; the older one's id would stay. */
export interface PossiblePair {
  item: NamedItem;
  other: NamedItem;
  bits: number;
  link_at: number;
  missing_bits: number;
  found_at: string;
}

export interface PossiblePage {
  pairs: PossiblePair[];
  next_page_token: string;
}

export interface Reason {
  key_type: string;
  /** Null: their values differ. */
  value: string | null;
  frequency: number;
  bits: number;
}

export interface SideReason extends Reason {
  item_values: string[];
  other_values: string[];
}

export interface Comparison {
  item: NamedItem;
  other: NamedItem;
  rules: string;
  link_at: number;
  review_at: number;
  bits: number;
  missing_bits: number;
  reasons: SideReason[];
  item_sightings: number;
  other_sightings: number;
  is_kept_apart: boolean;
}

export type Word =
  | { say: "join" | "keep_apart"; item: string; other: string }
  | { say: "divide"; item: string; sightings: string[] }
  | { say: "take_back"; action: number };

export interface WordResult {
  action: number | null;
  code: string | null;
  detail: string | null;
}

export interface WinnerChange {
  name: string;
  before?: Value;
  after?: Value;
}

export interface Outcome {
  /** Null: a new item, or one that comes back under the id that it had. */
  item: NamedItem | null;
  title: string;
  sightings: number;
  absorbed: NamedItem[];
  taken_from: NamedItem[];
  changes: WinnerChange[];
  changes_left_out: number;
}

export interface Simulation {
  merges: number;
  splits: number;
  moved_sightings: number;
  outcomes: Outcome[];
}

export interface Decided {
  action: number;
  kind: "joined" | "kept_apart";
  pairs: number;
  said_by: string;
  said_at: string;
  items: NamedItem[];
}

export interface HeldItemPage {
  items: NamedItem[];
  total: number;
  next_page_token: string;
}

export interface Sighting {
  sighting: string;
  source: Source;
  native_key: string;
  is_present: boolean;
  keys: { key_type: string; realm: string; value: string }[];
}

export interface Explanation {
  item_id: string;
  rules: string;
  link_at: number;
  review_at: number;
  sightings: Sighting[];
  sightings_left_out: number;
  pairs: { one: string; other: string; bits: number; reasons: Reason[]; is_joined: boolean }[];
  rivals: { item: NamedItem; bits: number; missing_bits: number; reasons: Reason[]; is_kept_apart: boolean }[];
}

export interface Permission {
  action: string;
  is_allowed: boolean;
  reason?: string;
}
