/** Name and password for a session; afterwards the page that was asked for. */
import { useMutation } from "@tanstack/react-query";
import { getRouteApi, useRouter } from "@tanstack/react-router";
import { useState } from "react";
import { mutations, queryClient, sessionQuery } from "../api/queries.ts";
import { t } from "../messages/index.ts";
import { Field } from "../ui/Field.tsx";
import { Gate } from "../ui/Gate.tsx";
import { errorSentence } from "../ui/states.tsx";
import { usePageTitle } from "../ui/usePageTitle.ts";

const route = getRouteApi("/login");

export function LoginPage() {
  usePageTitle(t("login.title"));
  const router = useRouter();
  const { next } = route.useSearch();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const login = useMutation({
    mutationKey: ["login"],
    mutationFn: () => mutations.login({ name: name.trim(), password }),
    onSuccess: async () => {
      await queryClient.fetchQuery({ ...sessionQuery, staleTime: 0 });
      router.history.push(next ?? "/");
    },
  });
  return (
    <Gate title={t("login.title")} lead={t("login.lead")}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          login.mutate();
        }}
      >
        <Field label={t("login.name")}>
          {(ids) => (
            <input {...ids} className="input" required autoFocus autoComplete="username" spellCheck={false} value={name} onChange={(event) => setName(event.target.value)} />
          )}
        </Field>
        <Field label={t("login.password")}>
          {(ids) => (
            <input {...ids} className="input" type="password" required autoComplete="current-password" value={password} onChange={(event) => setPassword(event.target.value)} />
          )}
        </Field>
        {login.isError && (
          <p className="notice notice-critical" role="alert">
            {errorSentence(login.error)}
          </p>
        )}
        <button className="button button-primary" type="submit" disabled={login.isPending}>
          {t("login.submit")}
        </button>
      </form>
    </Gate>
  );
}
