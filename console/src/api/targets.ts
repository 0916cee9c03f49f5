/** What the console asks of targets and credentials: shapes, questions and commands of `/api/v1/targets` and `/api/v1/credentials`. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { ask } from "./client.ts";

/** How often the state of targets is asked for while somebody looks at it: no event tells of it. */
const STATE_MILLISECONDS = 3_000;

const id = encodeURIComponent;

/** What of a set can be changed here; what is not named keeps what it had. */
export interface TargetSetBody {
  collector: string;
  addresses: string[];
  exclusions: string[];
  site: string;
  agents: string[];
  credentials: string[];
  port: number | null;
  options: { [name: string]: string };
  interval_seconds: number | null;
  windows: string[];
  concurrency: number | null;
  looks_per_minute: number | null;
  is_fragile: boolean;
  is_whole: boolean | null;
  is_enabled: boolean;
}

export interface TargetSet extends TargetSetBody {
  name: string;
  targets_count: number;
  unassigned_count: number;
  remedy: string | null;
  coverage: { [status: string]: number };
  changed_at: string;
  changed_by: string;
}

interface TargetSetPage {
  targets: TargetSet[];
  next_page_token: string;
}

export interface TargetState {
  id: string;
  address: string;
  agent_id: string | null;
  state: string;
  looked_at: string | null;
  status: string | null;
  detail: string;
  seen_count: number;
  credential: string | null;
  next_look: string | null;
  at: string;
  done: number;
  total: number | null;
}

interface TargetStatePage {
  states: TargetState[];
  next_page_token: string;
}

export interface Credential {
  name: string;
  kind: string;
  settings: { [name: string]: string };
  secrets: string[];
  references: { [name: string]: string };
  is_usable: boolean;
  used_by: string[];
  changed_at: string;
}

interface CredentialPage {
  credentials: Credential[];
  next_page_token: string;
}

export interface CredentialBody {
  kind: string;
  settings: { [name: string]: string };
  secrets: { [name: string]: string };
  references: { [name: string]: string };
}

export interface TestAnswer {
  is_accepted: boolean;
  detail: string;
  millis: number;
}

export const targetsQuery = infiniteQueryOptions({
  queryKey: ["targets"],
  queryFn: ({ pageParam, signal }) =>
    ask<TargetSetPage>("api/v1/targets", { params: { page_size: 100, page_token: pageParam }, signal }),
  initialPageParam: "",
  getNextPageParam: (page) => page.next_page_token || undefined,
  refetchInterval: STATE_MILLISECONDS,
});

export const targetQuery = (name: string) =>
  queryOptions({
    queryKey: ["targets", name],
    queryFn: ({ signal }) => ask<TargetSet>(`api/v1/targets/${id(name)}`, { signal }),
    refetchInterval: STATE_MILLISECONDS,
  });

export const targetStatesQuery = (name: string) =>
  infiniteQueryOptions({
    queryKey: ["targets", name, "states"],
    queryFn: ({ pageParam, signal }) =>
      ask<TargetStatePage>(`api/v1/targets/${id(name)}/states`, { params: { page_size: 200, page_token: pageParam }, signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token || undefined,
    refetchInterval: STATE_MILLISECONDS,
  });

export const credentialsQuery = infiniteQueryOptions({
  queryKey: ["credentials"],
  queryFn: ({ pageParam, signal }) =>
    ask<CredentialPage>("api/v1/credentials", { params: { page_size: 100, page_token: pageParam }, signal }),
  initialPageParam: "",
  getNextPageParam: (page) => page.next_page_token || undefined,
});

export const targetCommands = {
  put: (name: string, body: TargetSetBody) => ask<TargetSet>(`api/v1/targets/${id(name)}`, { method: "PUT", body }),
  remove: (name: string) => ask<null>(`api/v1/targets/${id(name)}`, { method: "DELETE" }),
  run: (name: string, address?: string) =>
    ask<{ targets_count: number }>(`api/v1/targets/${id(name)}/run`, { method: "POST", body: { address: address ?? null } }),
  putCredential: (name: string, body: CredentialBody) =>
    ask<Credential>(`api/v1/credentials/${id(name)}`, { method: "PUT", body }),
  removeCredential: (name: string) => ask<null>(`api/v1/credentials/${id(name)}`, { method: "DELETE" }),
  testCredential: (name: string, body: { address: string; collector: string; site: string | null }) =>
    ask<TestAnswer>(`api/v1/credentials/${id(name)}/test`, { method: "POST", body }),
};
