/** The list of keys. */
import { t } from "../messages/index.ts";
import { setKeys, usePreferences } from "../theme/theme.ts";
import { Dialog } from "../ui/Dialog.tsx";

const KEYS = [
  ["keys.palette", ["Ctrl", "K"]],
  ["keys.filter", ["/"]],
  ["keys.goInventory", ["g", "i"]],
  ["keys.goChanges", ["g", "c"]],
  ["keys.goReview", ["g", "r"]],
  ["keys.goAgents", ["g", "a"]],
  ["keys.rows", ["j", "k"]],
  ["keys.open", ["Enter"]],
  ["keys.select", ["x"]],
  ["keys.join", ["m"]],
  ["keys.apart", ["n"]],
  ["keys.takeBack", ["u"]],
  ["keys.back", ["Esc"]],
  ["keys.help", ["?"]],
] as const;

export default function Shortcuts({ onClose }: { onClose: () => void }) {
  const { keys } = usePreferences();
  return (
    <Dialog title={t("keys.title")} onClose={onClose}>
      <dl className="keys">
        {KEYS.map(([label, names]) => (
          <div key={label} className="keys-row">
            <dt>{t(label)}</dt>
            <dd>
              {names.map((name) => (
                <kbd key={name}>{name}</kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
      <label className="check">
        <input type="checkbox" checked={keys} onChange={(event) => setKeys(event.target.checked)} />
        <span>
          {t("keys.single")}
          <span className="field-note">{t("keys.singleHint")}</span>
        </span>
      </label>
    </Dialog>
  );
}
