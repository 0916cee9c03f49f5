/**
 * The shapes of the control plane's REST API (`/api/v1`), as the console reads them.
 *
 * Written by hand after the API's contract; the end-to-end tests hold every question asked against the served
 * OpenAPI document.
 */

/** A generic value: `null` means "looked, and there is none". */
export type Value = null | boolean | number | string | Value[] | { [name: string]: Value };

export type ItemState = "active" | "missing" | "stale" | "retired" | "merged";
export type Nature = "fact" | "reading";
export type Kind =
  | "boolean"
  | "count"
  | "float"
  | "integer"
  | "record"
  | "record_list"
  | "text"
  | "text_list"
  | "time";
export type Unit =
  | ""
  | "bits_per_second"
  | "bytes"
  | "celsius"
  | "hertz"
  | "milliseconds"
  | "percent"
  | "revolutions_per_minute"
  | "seconds"
  | "volts"
  | "watts";

export interface AttributeDefinition {
  name: string;
  label: string;
  doc: string;
  kind: Kind;
  unit: Unit;
  nature: Nature;
}

export interface ClassDefinition {
  name: string;
  label: string;
  plural: string;
  doc: string;
  group: string;
  icon: string;
  title: string;
  is_part: boolean;
  identity: string[];
  attributes: AttributeDefinition[];
}

export interface RelationshipDefinition {
  name: string;
  inverse: string;
  doc: string;
  from: string[];
  to: string[];
  cardinality: string;
  failure: string;
  is_derived: boolean;
}

export interface Catalog {
  classes: ClassDefinition[];
  relationships: RelationshipDefinition[];
}

/** Who says something: a collector on a target. */
export interface Source {
  collector: string;
  target: string;
}

export interface SourceValue {
  value: Value;
  source: Source;
  since: string;
  confirmed_at: string;
  confidence: number;
}

export interface Item {
  id: string;
  class: string;
  title: string;
  parent_id: string | null;
  state: ItemState;
  first_seen: string;
  last_seen: string;
  revision: number;
  /** The winning value first, the values of other sources behind it. A missing name was not looked at. */
  attributes: { [name: string]: SourceValue[] };
}

export interface ItemPage {
  items: Item[];
  next_page_token: string;
}

export interface Counts {
  total: number;
  classes: { class: string; count: number }[];
  agents: { connected: number; total: number };
}

export interface Relation {
  verb: string;
  outgoing: boolean;
  item_id: string;
  class: string;
  title: string;
  state: ItemState;
  source: Source;
  since: string;
  evidence: string;
}

export interface RelationPage {
  relations: Relation[];
  next_page_token: string;
}

export type ChangeKind =
  | "created"
  | "attribute_changed"
  | "related"
  | "unrelated"
  | "merged"
  | "split"
  | "state_changed";

export interface Change {
  revision: number;
  index: number;
  item_id: string;
  class: string;
  title: string;
  observed_at: string;
  recorded_at: string;
  source: Source;
  kind: ChangeKind;
  /** The attribute or the relationship, or empty. */
  name: string;
  before?: Value;
  after?: Value;
  other_id?: string | null;
}

export interface ChangePage {
  changes: Change[];
  next_page_token: string;
}

export type CoverageStatus = "complete" | "partial" | "not_looked_at";

export interface Scope {
  scope: string;
  status: CoverageStatus;
  reason: string;
  detail: string;
  looked_at: string | null;
  seen_count: number;
}

/** A look missed so much of its scope at once that nothing was retired. */
export interface HeldRetirement {
  id: string;
  source: Source;
  scope: string;
  agent_id: string;
  held_at: string;
  count: number;
  of: number;
}

export interface HeldRetirementPage {
  held_retirements: HeldRetirement[];
  next_page_token: string;
}

export type NamedItem = Pick<Item, "id" | "class" | "title" | "state">;

/** Two items that may be one. */
export interface PossibleDuplicate {
  item: NamedItem;
  other: NamedItem;
  bits: number;
  found_at: string;
}

export interface PossibleDuplicatePage {
  possible_duplicates: PossibleDuplicate[];
  next_page_token: string;
}

export type AgentState = "connected" | "disconnected" | "revoked";

export interface Agent {
  id: string;
  name: string;
  site: string;
  labels: { [name: string]: string };
  version: string;
  state: AgentState;
  enrolled_at: string;
  last_seen: string | null;
  certificate_expires: string | null;
  address: string;
  item_id: string | null;
  complaints: string[];
  scopes: Scope[];
}

export interface AgentPage {
  /** Without their scopes: those come with one agent alone. */
  agents: Agent[];
  next_page_token: string;
}

export type TokenKind = "join" | "personal" | "service";

export interface Token {
  id: string;
  kind: TokenKind;
  name: string;
  site?: string;
  labels?: { [name: string]: string };
  uses_left?: number | null;
  created_at: string;
  expires_at: string;
  last_used_at?: string | null;
  scopes?: TokenScope[];
  state: "active" | "expired" | "used_up" | "revoked";
}

export type TokenScope = "read" | "write" | "admin";

export interface TokenPage {
  tokens: Token[];
  next_page_token: string;
}

export interface TokenRequest {
  kind: TokenKind;
  ttl_seconds: number;
  uses?: number;
  site?: string;
  labels?: { [name: string]: string };
  name?: string;
  scopes?: TokenScope[];
}

/** A token as it is shown once. */
export interface MintedToken {
  id: string;
  text: string;
  expires_at: string;
  command: string;
}

export type StepName = "connected" | "tls" | "identity" | "first_inventory";
export type StepState = "waiting" | "done" | "failed";

export interface Step {
  name: StepName;
  state: StepState;
  detail: string;
  at: string | null;
}

/** A machine that broke off before it said which token it has. */
export interface Hint {
  detail: string;
  at: string;
}

export interface Onboarding {
  steps: Step[];
  agent_id: string | null;
  item_id: string | null;
  hints: Hint[];
}

export interface Session {
  setup_needed: boolean;
  user: { name: string; role: string } | null;
}

/** How far history reaches back. */
export interface HistoryExtent {
  /** Null: it is kept for ever. */
  days: number | null;
  /** Null: nothing was taken out yet. */
  kept_since: string | null;
}

/** The moments at which an item changed, as seen from one moment. */
export interface ItemMoments {
  previous: string | null;
  next: string | null;
  first: string | null;
  last: string | null;
}

export interface AttributeDifference {
  name: string;
  before?: Value;
  after?: Value;
}

export interface RelationDifference {
  verb: string;
  outgoing: boolean;
  item_id: string;
  class: string;
  title: string;
  has_begun: boolean;
}

export interface ItemDifference {
  item_id: string;
  class: string;
  title: string;
  kind: "created" | "returned" | "retired" | "changed";
  state_before: ItemState | null;
  state_after: ItemState;
  attributes: AttributeDifference[];
  relations: RelationDifference[];
  relations_begun: number;
  relations_ended: number;
}

export interface DifferencePage {
  from: string;
  to: string;
  items: ItemDifference[];
  next_page_token: string;
}

/** RFC 9457, with the product's code and request id. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  params?: { [name: string]: unknown };
  request_id?: string;
}

/** A batch of changes as the event stream sends it. */
export interface ChangeEvent {
  revision: number;
  changes: Change[];
}
