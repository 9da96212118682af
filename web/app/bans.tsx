import { useState } from "preact/hooks";
import type { LecternError } from "../client";
import { Trouble } from "./parts";
import { api } from "./session";
import { useWords } from "./state";
import type { WatchedRoom } from "./watchroom";

/** Who may not come in, and the way back. */
export function Bans({ watched }: { watched: WatchedRoom }) {
  const { t, number, moment } = useWords();
  const [error, setError] = useState<LecternError | null>(null);
  const { bans } = watched;
  const load = () => {
    setError(null);
    watched.loadBans().catch(setError);
  };
  const unban = (user: string) => {
    setError(null);
    document.getElementById("bans")?.focus(); // the button goes with its row
    api()
      .unban(watched.id, user)
      .then(() => watched.loadBans())
      .catch(setError);
  };
  return (
    <details class="bans" onToggle={(event) => event.currentTarget.open && load()}>
      <summary id="bans" data-count={bans?.length}>
        {bans && bans.length > 0 ? t.line.bansCount(number(bans.length)) : t.desk.bans}
      </summary>
      {bans?.length === 0 && <p class="hint">{t.desk.bansNone}</p>}
      <ul id="ban-list">
        {bans?.map((ban) => (
          <li key={ban.user} data-user={ban.user}>
            <span>
              <bdi>{ban.name}</bdi> <small>{moment(ban.at)}</small>
            </span>
            <button class="quiet small" data-testid="unban" aria-label={`${t.desk.unban}: ${ban.name}`} onClick={() => unban(ban.user)}>
              {t.desk.unban}
            </button>
          </li>
        ))}
      </ul>
      <Trouble error={error} id="bans-error" />
    </details>
  );
}
