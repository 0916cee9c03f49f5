/** The two menus of the top bar: how the console looks, and whose session it is. */
import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Contrast, LogOut, UserRound } from "lucide-react";
import { mutations, queryClient, sessionQuery } from "../api/queries.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { DENSITIES, THEMES, setDensity, setTheme, usePreferences } from "../theme/theme.ts";
import { Choice } from "../ui/Choice.tsx";
import { Popover } from "../ui/Popover.tsx";

export function AppearanceMenu() {
  const { theme, density } = usePreferences();
  return (
    <Popover
      label={t("top.theme")}
      className="button-icon"
      button={<Contrast size={16} aria-hidden="true" />}
    >
      {() => (
        <div className="menu">
          <Choice
            legend={t("top.theme")}
            value={theme}
            options={THEMES.map((value) => ({ value, label: t(`theme.${value}`) }))}
            onChange={setTheme}
          />
          <Choice
            legend={t("top.density")}
            value={density}
            options={DENSITIES.map((value) => ({ value, label: t(`density.${value}`) }))}
            onChange={setDensity}
          />
        </div>
      )}
    </Popover>
  );
}

export function AccountMenu() {
  const { data } = useQuery(sessionQuery);
  const navigate = useNavigate();
  const logout = useMutation({
    mutationFn: mutations.logout,
    onSuccess: async () => {
      queryClient.clear();
      await navigate({ to: paths.login });
    },
  });
  const name = data?.user?.name ?? "";
  return (
    <Popover
      label={t("top.user", { name })}
      className="button-icon"
      button={
        <>
          <UserRound size={16} aria-hidden="true" />
          <span className="top-name">{name}</span>
        </>
      }
    >
      {() => (
        <div className="menu">
          <p>
            <strong>{name}</strong>
            <br />
            <span className="muted">{t("top.role", { role: data?.user?.role ?? "" })}</span>
          </p>
          <button type="button" className="button" onClick={() => logout.mutate()}>
            <LogOut size={14} aria-hidden="true" />
            {t("top.logout")}
          </button>
        </div>
      )}
    </Popover>
  );
}
