/** First start: the code that the control plane printed makes the first administrator. */
import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { mutations, queryClient, sessionQuery } from "../api/queries.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { Field } from "../ui/Field.tsx";
import { Gate } from "../ui/Gate.tsx";
import { errorSentence } from "../ui/states.tsx";
import { usePageTitle } from "../ui/usePageTitle.ts";

/** The control plane refuses shorter ones; saying it here saves a round. */
const PASSWORD_CHARACTERS_MIN = 10;

export function SetupPage() {
  usePageTitle(t("setup.title"));
  const navigate = useNavigate();
  const [code, setCode] = useState(() => window.location.hash.slice(1));
  const [name, setName] = useState("admin");
  const [password, setPassword] = useState("");
  const setup = useMutation({
    mutationFn: () => mutations.setup({ code: code.trim(), name: name.trim(), password }),
    onSuccess: async () => {
      await queryClient.fetchQuery({ ...sessionQuery, staleTime: 0 });
      await navigate({ to: paths.home });
    },
  });
  const isShort = password !== "" && password.length < PASSWORD_CHARACTERS_MIN;
  return (
    <Gate title={t("setup.title")} lead={t("setup.lead")}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (!isShort) setup.mutate();
        }}
      >
        <Field label={t("setup.code")} hint={t("setup.codeHint")}>
          {(ids) => (
            <input {...ids} className="input mono" required autoFocus autoComplete="one-time-code" spellCheck={false} value={code} onChange={(event) => setCode(event.target.value)} />
          )}
        </Field>
        <Field label={t("setup.name")}>
          {(ids) => (
            <input {...ids} className="input" required autoComplete="username" spellCheck={false} value={name} onChange={(event) => setName(event.target.value)} />
          )}
        </Field>
        <Field
          label={t("setup.password")}
          hint={t("setup.passwordHint")}
          {...(isShort ? { error: t("setup.short", { count: PASSWORD_CHARACTERS_MIN }) } : {})}
        >
          {(ids) => (
            <input {...ids} className="input" type="password" required autoComplete="new-password" value={password} onChange={(event) => setPassword(event.target.value)} />
          )}
        </Field>
        {setup.isError && (
          <p className="notice notice-critical" role="alert">
            {errorSentence(setup.error)}
          </p>
        )}
        <button className="button button-primary" type="submit" disabled={setup.isPending}>
          {t("setup.submit")}
        </button>
      </form>
    </Gate>
  );
}
