/** The classes with how many items of each match the rest of the filter, grouped as the catalog groups them. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { catalogQuery } from "../api/queries.ts";
import type { ClassDefinition, Counts } from "../api/types.ts";
import { t, tOr } from "../messages/index.ts";
import { paths } from "../paths.ts";
import type { InventorySearch } from "../search.ts";
import { ClassIcon } from "../ui/Icon.tsx";
import { formatNumber } from "../values/format.ts";

const GROUPS = ["compute", "hardware", "network", "software", "storage", "identity", "custom"];

interface EntryProps {
  search: InventorySearch;
  name: string | undefined;
  label: string;
  icon: string;
  count: number | undefined;
}

function Entry({ search, name, label, icon, count }: EntryProps) {
  return (
    <li>
      <Link
        to={paths.inventory}
        search={{ ...search, class: name, columns: undefined }}
        className={count === 0 ? "class-link class-zero" : "class-link"}
        activeOptions={{ exact: true }}
        aria-current={search.class === name ? "page" : undefined}
      >
        <ClassIcon name={icon} />
        <span className="class-name">{label}</span>
        {count !== undefined && <span className="class-count">{formatNumber(count)}</span>}
      </Link>
    </li>
  );
}

function byGroup(classes: ClassDefinition[]): [string, ClassDefinition[]][] {
  const rank = (group: string) => (GROUPS.indexOf(group) + GROUPS.length) % GROUPS.length;
  // What stands on its own before what is part of something.
  const sorted = classes.toSorted((a, b) => Number(a.is_part) - Number(b.is_part) || a.plural.localeCompare(b.plural));
  const groups = Map.groupBy(sorted, ({ group }) => group);
  return [...groups].sort(([first], [second]) => rank(first) - rank(second));
}

export function ClassRail({ search, counts }: { search: InventorySearch; counts: Counts | undefined }) {
  const { data: catalog } = useQuery(catalogQuery);
  const known = new Map(counts?.classes.map((each) => [each.class, each.count]));
  const all = counts?.classes.reduce((sum, { count }) => sum + count, 0);
  return (
    <nav className="classes" aria-label={t("inventory.classes")} tabIndex={-1}>
      <ul>
        <Entry search={search} name={undefined} label={t("inventory.allClasses")} icon="layers" count={all} />
      </ul>
      {byGroup(catalog?.classes ?? []).map(([group, classes]) => (
        <section key={group}>
          <h2>{tOr(`group.${group}`, group)}</h2>
          <ul>
            {classes.map(({ name, plural, icon }) => (
              <Entry key={name} search={search} name={name} label={plural} icon={icon} count={counts ? (known.get(name) ?? 0) : undefined} />
            ))}
          </ul>
        </section>
      ))}
    </nav>
  );
}
