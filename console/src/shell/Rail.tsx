/** The left rail. What does not exist yet is shown disabled and says why; it is never a page without content. */
import { Link } from "@tanstack/react-router";
import { BellRing, Crosshair, GitCompareArrows, Scale, KeyRound, type LucideIcon, Radio, Share2, TrendingUp, LayoutList } from "lucide-react";
import { type MessageKey, t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { Mark } from "../ui/Mark.tsx";
import { Popover } from "../ui/Popover.tsx";

function Entry({ to, icon: Icon, label, isExact }: { to: string; icon: LucideIcon; label: MessageKey; isExact?: boolean }) {
  return (
    <li>
      <Link
        to={to}
        className="rail-link"
        activeOptions={{ includeSearch: false, exact: isExact ?? false }}
        search={to === paths.inventory ? { class: "host" } : {}}
      >
        <Icon size={16} strokeWidth={1.75} aria-hidden="true" className="icon" />
        {t(label)}
      </Link>
    </li>
  );
}

function Later({ icon: Icon, label, reason }: { icon: LucideIcon; label: MessageKey; reason: MessageKey }) {
  return (
    <li>
      <Popover
        label={`${t(label)}. ${t(reason)}`}
        className="rail-link rail-disabled"
        isUnavailable
        button={
          <>
            <Icon size={16} strokeWidth={1.75} aria-hidden="true" className="icon" />
            {t(label)}
          </>
        }
      >
        {() => <p>{t(reason)}</p>}
      </Popover>
    </li>
  );
}

export function Rail() {
  return (
    <nav className="rail" aria-label={t("nav.label")}>
      <Link to={paths.home} className="brand">
        <Mark />
        {t("app.name")}
      </Link>
      <ul>
        <Entry to={paths.inventory} icon={LayoutList} label="nav.inventory" />
        <Later icon={Share2} label="nav.topology" reason="nav.topologyReason" />
        <Entry to={paths.changes} icon={GitCompareArrows} label="nav.changes" />
        <Entry to={paths.review} icon={Scale} label="nav.review" />
        <Entry to={paths.agents} icon={Radio} label="nav.agents" />
        <Entry to={paths.targets} icon={Crosshair} label="nav.targets" />
        <Later icon={BellRing} label="nav.alerts" reason="nav.alertsReason" />
        <Later icon={TrendingUp} label="nav.insights" reason="nav.insightsReason" />
      </ul>
      <ul className="rail-foot">
        <Entry to={paths.tokens} icon={KeyRound} label="nav.tokens" />
      </ul>
    </nav>
  );
}
