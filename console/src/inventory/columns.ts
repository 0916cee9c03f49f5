/** Which attributes a table shows before anyone chose: the few that tell items of a class apart. */
import type { AttributeDefinition, ClassDefinition } from "../api/types.ts";

const CHOSEN: { [name: string]: string[] } = {
  certificate: ["subject", "issuer", "not_after", "path"],
  container: ["state", "image", "engine", "ports"],
  drive: ["model", "capacity_bytes", "transport", "health", "serial_number"],
  filesystem: ["filesystem_type", "source", "capacity_bytes", "used_bytes", "options"],
  hardware: ["vendor", "serial_number", "chassis_type", "memory_installed_bytes", "firmware_version"],
  host: ["os_name", "kernel_release", "architecture", "processors_count", "memory_bytes", "virtualization", "uptime_seconds"],
  kernel_module: ["size_bytes", "version", "used_by", "references_count"],
  listening_endpoint: ["program", "protocol", "address", "port", "run_as", "is_exposed", "connections_count"],
  memory_module: ["capacity_bytes", "technology", "speed_configured_megatransfers", "vendor", "part_number"],
  network_interface: ["state", "addresses", "mac_address", "interface_type", "speed_bits_per_second", "mtu_bytes"],
  package: ["version", "manager", "architecture", "installed_bytes", "summary"],
  process: ["owner", "run_as", "pid", "instances_count", "memory_bytes", "cpu_seconds", "command_line"],
  processor: ["vendor", "cores_count", "threads_count", "clock_max_hertz", "socket"],
  remote_endpoint: ["protocol", "address", "port", "connections_count"],
  route: ["gateway", "interface", "metric", "protocol", "table"],
  scheduled_job: ["schedule", "command", "run_as", "is_enabled", "scheduler"],
  service_unit: ["active_state", "sub_state", "enabled_state", "description", "run_as"],
  user_account: ["uid", "full_name", "shell", "may_log_in", "may_sudo", "groups"],
  user_group: ["gid", "members"],
};

/** Columns without anybody's choice: at most this many, so that a table fits a laptop. */
const COLUMNS_MAX = 6;

/** The attributes that a table of `definition` shows; `chosen` is the URL's list. */
export function tableColumns(
  definition: ClassDefinition | undefined,
  chosen: string | undefined,
): AttributeDefinition[] {
  if (!definition) return [];
  const names = chosen ? chosen.split(",") : CHOSEN[definition.name];
  const known = (names ?? []).flatMap(
    (name) => definition.attributes.find((attribute) => attribute.name === name) ?? [],
  );
  if (known.length > 0) return known;
  const rest = definition.attributes.filter(
    ({ name, nature }) => name !== definition.title && nature === "fact",
  );
  return rest.slice(0, COLUMNS_MAX);
}

/** A width in `rem` that suits the kind; the name and texts share what is left. */
export function columnWidth(attribute: AttributeDefinition): string {
  if (["command_line", "summary", "description", "options", "command"].includes(attribute.name)) {
    return "minmax(12rem, 2.2fr)";
  }
  switch (attribute.kind) {
    case "boolean":
      return "5.5rem";
    case "count":
    case "integer":
    case "float":
      return "7rem";
    case "time":
      return "10rem";
    case "text_list":
    case "record":
    case "record_list":
      return "minmax(9rem, 1.4fr)";
    case "text":
      return "minmax(7rem, 1fr)";
  }
}

/** Numbers stand at the end of their column, so that magnitudes can be compared. */
export const isNumeric = ({ kind }: AttributeDefinition): boolean =>
  kind === "count" || kind === "integer" || kind === "float";
