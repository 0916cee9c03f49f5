/** Which attributes a table shows before anyone chose: the few that tell items of a class apart. */
import type { AttributeDefinition, ClassDefinition } from "../api/types.ts";

const CHOSEN: { [name: string]: string[] } = {
  certificate: ["subject", "issuer", "not_after", "path"],
  container: ["state", "image", "engine", "ports"],
  drive: ["model", "capacity_bytes", "transport", "health", "serial_number"],
  filesystem: ["filesystem_type", "source", "capacity_bytes", "used_bytes", "options"],
  hardware: ["vendor", "serial_number", "chassis_type", "memory_installed_bytes", "firmware_version"],
  host: ["os_name", "kernel_release", "processors_count", "memory_bytes", "virtualization", "uptime_seconds"],
  kernel_module: ["size_bytes", "version", "used_by", "references_count"],
  listening_endpoint: ["program", "address", "port", "is_exposed", "connections_count"],
  memory_module: ["capacity_bytes", "technology", "speed_configured_megatransfers", "vendor", "part_number"],
  network_interface: ["state", "addresses", "mac_address", "interface_type", "speed_bits_per_second"],
  package: ["version", "manager", "installed_bytes", "summary"],
  process: ["owner", "pid", "memory_bytes", "cpu_seconds", "command_line"],
  processor: ["vendor", "cores_count", "threads_count", "clock_max_hertz", "socket"],
  remote_endpoint: ["protocol", "address", "port", "connections_count"],
  route: ["gateway", "interface", "metric", "protocol", "table"],
  scheduled_job: ["schedule", "command", "run_as", "is_enabled", "scheduler"],
  service_unit: ["active_state", "sub_state", "enabled_state", "description"],
  user_account: ["uid", "full_name", "shell", "may_log_in", "may_sudo"],
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

/** A column's least width in `rem`, and its share of what is left; without a share it keeps its width. */
export interface Width {
  least: number;
  share: number;
}

/** Texts that are sentences or command lines. */
const LONG = new Set(["arguments", "command", "command_line", "description", "executable", "options", "summary"]);

/** Texts that are one short word. */
const SHORT = new Set(["active_state", "architecture", "duplex", "enabled_state", "engine", "filesystem_type", "interface", "interface_type", "manager", "port", "protocol", "run_as", "scheduler", "state", "sub_state", "table", "transport", "virtualization"]);

/** Width of a heading: letters of the small bold font, and the padding of the cell. */
const headWidth = ({ label }: AttributeDefinition): number => Math.min(7.5, label.length * 0.48 + 1.5);

function valueWidth({ name, kind, unit }: AttributeDefinition): Width {
  if (LONG.has(name)) return { least: 11, share: 1.8 };
  if (name.endsWith("mac_address")) return { least: 9.5, share: 0 };
  if (SHORT.has(name)) return { least: 6, share: 0.3 };
  switch (kind) {
    case "boolean":
      return { least: 5, share: 0 };
    case "count":
    case "integer":
    case "float":
      return { least: unit === "seconds" ? 6.5 : 5.25, share: 0 };
    case "time":
      return { least: 11.5, share: 0 };
    case "text_list":
    case "record":
    case "record_list":
      return { least: 9, share: 1.4 };
    case "text":
      return { least: 7, share: 1 };
  }
}

export function columnWidth(attribute: AttributeDefinition): Width {
  const { least, share } = valueWidth(attribute);
  return { least: Math.max(least, headWidth(attribute)), share };
}

/** The tracks of the table's grid, and the least width of all of them together. */
export function gridTracks(widths: Width[]): { columns: string; least: string } {
  const track = ({ least, share }: Width) => (share === 0 ? `${least}rem` : `minmax(${least}rem, ${share}fr)`);
  return {
    columns: widths.map(track).join(" "),
    least: `${widths.reduce((sum, { least }) => sum + least, 0)}rem`,
  };
}

/** Numbers stand at the end of their column, so that magnitudes can be compared. */
export const isNumeric = ({ kind }: AttributeDefinition): boolean =>
  kind === "count" || kind === "integer" || kind === "float";
