/** Has an agent try a credential once. */
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { targetCommands } from "../api/targets.ts";
import { t } from "../messages/index.ts";
import { Dialog } from "../ui/Dialog.tsx";
import { errorSentence } from "../ui/states.tsx";
import { TextField } from "./fields.tsx";

export function CredentialTest({ name, onClose }: { name: string; onClose: () => void }) {
  const [address, setAddress] = useState("");
  const [collector, setCollector] = useState("");
  const [site, setSite] = useState("");
  const test = useMutation({
    mutationFn: () => targetCommands.testCredential(name, { address: address.trim(), collector: collector.trim(), site: site.trim() || null }),
  });
  return (
    <Dialog title={t("credentials.testLabel", { name })} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          test.mutate();
        }}
      >
        <TextField label={t("targets.address")} isRequired value={address} onChange={setAddress} />
        <TextField label={t("targets.collector")} hint={t("targets.collectorHint")} isRequired value={collector} onChange={setCollector} />
        <TextField label={t("targets.site")} hint={t("credentials.siteHint")} value={site} onChange={setSite} />
        <p role="status">
          {test.isPending && t("credentials.testing")}
          {test.data && `${test.data.is_accepted ? t("credentials.accepted") : t("credentials.refused")} ${test.data.detail}`}
          {test.isError && errorSentence(test.error)}
        </p>
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            {t("common.close")}
          </button>
          <button type="submit" className="button button-primary" disabled={test.isPending}>
            {t("credentials.test")}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
