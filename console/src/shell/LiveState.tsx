/** Whether what is on screen follows the world: live, paused, or cut off since when. */
import { useLive } from "../live/live.ts";
import { t } from "../messages/index.ts";
import { Shape } from "../ui/Status.tsx";
import { useNow } from "../ui/Time.tsx";
import { formatAge } from "../values/format.ts";

const TONES = { live: "ok", connecting: "info", paused: "unknown", offline: "warning" } as const;

export function LiveState() {
  const { status, heardAt } = useLive();
  const now = useNow();
  const age = formatAge(heardAt, Math.max(now, heardAt));
  return (
    <span className={`live live-${status}`} role="status" title={t(`live.${status}Hint`, { age })}>
      <span className="live-shape">
        <Shape tone={TONES[status]} />
      </span>
      {t(`live.${status}`)}
      {status === "offline" && <span className="small">({age})</span>}
    </span>
  );
}
