import { useEffect, useMemo, useState } from "preact/hooks";
import type { Entry, Lectern } from "../client";
import { Roster } from "../client";
import { Grid } from "./grid";
import type { Column } from "./grid";
import { People } from "./people";
import { Waiting } from "./parts";
import { useChanges, useWords } from "./state";

const look = { by: "seat", down: false, filter: "all", query: "" } as const;

/** Who is here, where the instructor shows it to everyone. */
export function Others({ lectern, room }: { lectern: Lectern; room: string }) {
  const { t, number } = useWords();
  const [roster, setRoster] = useState<Roster | null>(null);
  const subscribe = useMemo(() => roster && ((fn: () => void) => roster.subscribe(fn)), [roster]);
  const people = useMemo(() => new People("seated"), [roster]);
  const columns = useMemo<Column<Entry>[]>(
    () => [
      { id: "seat", label: t.desk.columns.seat, show: (entry) => entry.seat },
      { id: "name", label: t.desk.columns.name, show: (entry) => <bdi>{entry.name}</bdi> },
    ],
    [t],
  );
  useChanges(subscribe ?? undefined);
  useEffect(() => {
    const watching = new Roster(lectern, room);
    setRoster(watching);
    return () => watching.stop();
  }, [lectern, room]);
  if (!roster || roster.state === "loading") return <Waiting text={t.loading} />;
  return (
    <>
      <p class="hint">{t.seat.online(number(roster.counts.online_count))}</p>
      <Grid<Entry>
        id="others"
        label={t.seat.whoIsHere}
        rows={people.rows(roster, look)}
        keyOf={(entry) => entry.user}
        rowClass={(entry) => (entry.online ? "online" : "offline")}
        columns={columns}
      />
    </>
  );
}
