/** The icons that the class catalog names, and those of the console itself. Only imported ones are shipped. */
import {
  Activity,
  ArrowLeftRight,
  BadgeCheck,
  Box,
  CircuitBoard,
  Clock,
  Cpu,
  Database,
  Folder,
  Globe,
  HardDrive,
  Layers,
  type LucideIcon,
  MemoryStick,
  Network,
  Package,
  Plug,
  Route,
  Server,
  Settings,
  Shapes,
  Thermometer,
  Usb,
  User,
  Users,
} from "lucide-react";

const CLASS_ICONS: { [name: string]: LucideIcon } = {
  activity: Activity,
  box: Box,
  card: CircuitBoard,
  certificate: BadgeCheck,
  chip: CircuitBoard,
  clock: Clock,
  cpu: Cpu,
  database: Database,
  disk: HardDrive,
  folder: Folder,
  gear: Settings,
  globe: Globe,
  layers: Layers,
  memory: MemoryStick,
  network: Network,
  package: Package,
  plug: Plug,
  route: Route,
  server: Server,
  swap: ArrowLeftRight,
  thermometer: Thermometer,
  usb: Usb,
  user: User,
  users: Users,
};

/** The icon of a class; decoration beside a word. */
export function ClassIcon({ name, size = 15 }: { name: string | undefined; size?: number }) {
  const Icon = CLASS_ICONS[name ?? ""] ?? Shapes;
  return <Icon size={size} strokeWidth={1.75} aria-hidden="true" className="icon" />;
}
