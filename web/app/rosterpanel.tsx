import { useMemo, useState } from "preact/hooks";
import type { Entry, LecternError, Room } from "../client";
import { useAbout } from "./about";
import { Grid } from "./grid";
import type { Column } from "./grid";
import { Confirm, Trouble, Waiting } from "./parts";
import { People } from "./people";
import type { Filter, Look, SortBy } from "./people";
import { useWords } from "./state";
import type { Words } from "./state";
import { isolated } from "./text";
import type { WatchedRoom } from "./watchroom";

const filters: Filter[] = ["all", "online", "offline"];

/** How a roster is looked at to begin with. */
export const firstLook: Look = { by: "seat", down: false, filter: "all", query: "" };

/** Who has a seat, live. */
export function RosterPanel({ watched, room, look, onLook }: { watched: WatchedRoom; room: Room; look: Look; onLook(look: Look): void }) {
  const words = useWords();
  const { t, number } = words;
  const people = useMemo(() => new People("seated"), []);
  const [leaving, setLeaving] = useState<Entry | null>(null);
  const [error, setError] = useState<LecternError | null>(null);
  const { roster } = watched;
  const rows = people.rows(roster, look);
  const about = useAbout(room.id);
  const columns = useMemo(() => columnsOf(words, look, onLook, setLeaving, about.open), [words, look, onLook, about.open]);
  const seated = people.everyone.length;
  return (
    <section class="card roster-card" aria-labelledby="roster-label">
      <header>
        <h2 id="roster-label">
          {t.desk.roster} <small id="roster-count">{t.desk.people(number(seated))}</small>
        </h2>
        <LookBar look={look} onChange={onLook} />
      </header>
      <Trouble error={error} id="roster-error" />
      {roster.state === "loading" && <Waiting text={t.loading} />}
      {roster.state !== "loading" && rows.length === 0 && (
        <p class="empty">{seated > 0 ? t.desk.noMatch : room.status === "scheduled" ? t.schedule.none : t.desk.nobody}</p>
      )}
      <Grid<Entry>
        id="roster"
        label={t.desk.roster}
        rows={rows}
        columns={columns}
        keyOf={(entry) => entry.user}
        rowClass={(entry) => (entry.online ? "online" : "offline")}
        keys={{ Delete: setLeaving, Enter: about.open, i: about.open }}
      />
      {about.panel}
      {leaving && <Remove watched={watched} room={room} entry={leaving} onDone={() => setLeaving(null)} onError={setError} />}
    </section>
  );
}

function LookBar({ look, onChange }: { look: Look; onChange(look: Look): void }) {
  const { t } = useWords();
  return (
    <div class="look">
      <input
        id="roster-search"
        type="search"
        value={look.query}
        placeholder={t.desk.search}
        aria-label={t.desk.search}
        onInput={(event) => onChange({ ...look, query: event.currentTarget.value })}
      />
      <fieldset class="choice">
        <legend class="unseen">{t.desk.filter}</legend>
        {filters.map((filter) => (
          <label key={filter}>
            <input
              type="radio"
              name="filter"
              id={"filter-" + filter}
              checked={look.filter === filter}
              onChange={() => onChange({ ...look, filter })}
            />
            <span>{t.desk.filters[filter]}</span>
          </label>
        ))}
      </fieldset>
    </div>
  );
}

function columnsOf(
  { t, seconds }: Words,
  look: Look,
  onLook: (look: Look) => void,
  onRemove: (entry: Entry) => void,
  onOpen: (entry: Entry) => void,
): Column<Entry>[] {
  const words = t.desk.columns;
  const sortable = (by: SortBy) => ({
    id: by,
    label: words[by],
    sortLabel: t.desk.sortBy(words[by]),
    sorted: look.by !== by ? ("none" as const) : look.down ? ("descending" as const) : ("ascending" as const),
    onSort: () => onLook({ ...look, by, down: look.by === by && !look.down }),
  });
  return [
    { ...sortable("seat"), show: (entry) => entry.seat ?? "–" },
    {
      ...sortable("name"),
      show: (entry) => (
        <>
          <button class="who" tabIndex={-1} dir="auto" data-testid="person" title={entry.name} onClick={() => onOpen(entry)}>
            {entry.name}
          </button>
          {entry.guest && <span class="pill">{t.desk.guest}</span>}
        </>
      ),
    },
    { ...sortable("joined"), show: (entry) => seconds(entry.joined_at) },
    {
      ...sortable("online"),
      show: (entry) => (
        <>
          <span class="dot" aria-hidden="true" /> <span>{entry.online ? t.desk.isOnline : t.desk.isOffline}</span>
        </>
      ),
    },
    {
      id: "action",
      label: words.action,
      show: (entry) => (
        <button class="plain small" tabIndex={-1} data-testid="remove" aria-label={`${t.desk.remove}: ${entry.name}`} onClick={() => onRemove(entry)}>
          {t.desk.remove}
        </button>
      ),
    },
  ];
}

function Remove(props: { watched: WatchedRoom; room: Room; entry: Entry; onDone(): void; onError(error: LecternError | null): void }) {
  const { t } = useWords();
  const [ban, setBan] = useState(false);
  const remove = () => {
    props.onDone();
    props.onError(null);
    props.watched.ask("remove", { user: props.entry.user, ban }).catch(props.onError);
  };
  return (
    <Confirm
      id="remove-dialog"
      title={t.desk.removeTitle(isolated(props.entry.name))}
      text={t.desk.removeText}
      yes={t.desk.remove}
      onYes={remove}
      onClose={props.onDone}
    >
      <label class="check">
        <input type="checkbox" id="ban" checked={ban} onChange={(event) => setBan(event.currentTarget.checked)} /> {t.desk.ban}
      </label>
    </Confirm>
  );
}
