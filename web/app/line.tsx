import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Entry, LecternError, Replies, Room } from "../client";
import { useAbout } from "./about";
import { Grid } from "./grid";
import type { Column } from "./grid";
import { Confirm, Trouble } from "./parts";
import { People } from "./people";
import { useSpoken, useWords } from "./state";
import type { Words } from "./state";
import { isolated } from "./text";
import type { WatchedRoom } from "./watchroom";

type LineState = "pending" | "waiting";

/** What the desk can do with those who have no seat yet. */
export interface Line {
  pending: readonly Entry[];
  waiting: readonly Entry[];
  error: LecternError | null;
  /** What came of admitting all, where there is no room for more. */
  some: Replies["admit"] | null;
  busy: boolean;
  admit(entry: Entry | undefined): void;
  admitAll(): void;
  remove(entry: Entry, ban: boolean): void;
}

const look = { by: "seat", down: false, filter: "all", query: "" } as const;

/**
 * The line of a room. Whoever is dealt with goes from the list at once, so that
 * the next one is first; a refusal of the server's brings them back.
 */
export function useLine(watched: WatchedRoom): Line {
  const [pending, waiting] = useMemo(() => [new People("pending"), new People("waiting")], []);
  /** The places of those who are dealt with, by user. */
  const [going, setGoing] = useState<ReadonlyMap<string, number | null>>(new Map());
  const [error, setError] = useState<LecternError | null>(null);
  const [some, setSome] = useState<Line["some"]>(null);
  const [busy, setBusy] = useState(false);
  const { roster } = watched;
  const goes = ({ user, place }: Entry) => going.get(user) === place;
  const here = (entries: readonly Entry[]) => (entries.some(goes) ? entries.filter((entry) => !goes(entry)) : entries);
  const asking = here(pending.rows(roster, look));

  const begin = () => {
    setError(null);
    setSome(null);
  };
  const deal = (entry: Entry, done: Promise<unknown>) => {
    begin();
    setGoing((before) => new Map([...before].filter(([user, place]) => roster.entries.get(user)?.place === place)).set(entry.user, entry.place));
    done.catch((refusal: LecternError) => {
      setGoing((before) => new Map([...before].filter(([user]) => user !== entry.user)));
      if (refusal.code !== "not_found") setError(refusal); // who has left goes from the list as well
    });
  };
  const full = roster.counts.taken >= (roster.room?.capacity ?? Infinity) && !roster.room?.options.waitlist;
  useEffect(() => {
    // The answer may come before the roster has what it is about. Fewer than all may be admitted because one of them withdrew.
    if (some && !full && roster.version >= some.version) setSome(null);
  });
  return {
    pending: asking,
    waiting: here(waiting.rows(roster, look)),
    error,
    some: full ? some : null,
    busy,
    admit: (entry) => entry && deal(entry, watched.ask("admit", { user: entry.user })),
    admitAll: () => {
      if (busy || asking.length === 0) return;
      begin();
      setBusy(true);
      watched
        .ask("admit", { all: true })
        .then((reply) => reply.count < asking.length && setSome(reply))
        .catch(setError)
        .finally(() => setBusy(false));
    },
    remove: (entry, ban) => deal(entry, watched.ask("remove", { user: entry.user, ban })),
  };
}

/** Who asks to come in and who stands in line, each where there is such a thing in this room. */
export function LinePanel({ line, room, query }: { line: Line; room: Room; query: string }) {
  const { t, number } = useWords();
  const asks = room.options.approval || line.pending.length > 0;
  const waits = room.options.waitlist || line.waiting.length > 0;
  const spoken = useSpoken(asks ? t.line.changed(line.pending.length) : "", String(line.pending.length > 0));
  return (
    <>
      <p class="unseen" role="status" id="line-said">
        {spoken}
      </p>
      <Trouble error={line.error} id="line-error" say={line.error?.code === "room_full" ? t.line.full : null} />
      {line.some && (
        <p class="notice-line" id="some-admitted" role="status">
          {t.line.someAdmitted(number(line.some.count))}
        </p>
      )}
      {(asks || waits) && (
        <div class="line-cards">
          {asks && <LineCard room={room.id} state="pending" line={line} query={query} />}
          {waits && <LineCard room={room.id} state="waiting" line={line} query={query} />}
        </div>
      )}
    </>
  );
}

function LineCard({ room, state, line, query }: { room: string; state: LineState; line: Line; query: string }) {
  const words = useWords();
  const { t, number } = words;
  const [banning, setBanning] = useState<Entry | null>(null);
  const card = useRef<HTMLElement>(null);
  useKeptFocus(card);
  const all = line[state];
  const wanted = query.trim().toLocaleLowerCase();
  const rows = useMemo(() => all.filter((entry) => entry.name.toLocaleLowerCase().includes(wanted)), [all, wanted]);
  const pending = state === "pending";
  const refuse = (entry: Entry) => line.remove(entry, false);
  const about = useAbout(room);
  // What a line can do is the same however often it is drawn.
  const columns = useMemo(() => columnsOf(words, state, line, setBanning, about.open), [words, all, about.open]);
  return (
    <section ref={card} class="card line-card" aria-labelledby={state + "-label"} id={state + "-card"}>
      <header>
        <h2 id={state + "-label"}>
          {pending ? t.line.pendingList : t.line.waitingList}{" "}
          <small id={state + "-count"} data-count={all.length}>
            {t.desk.people(number(all.length))}
          </small>
        </h2>
        {pending && all.length > 0 && (
          <button class="primary small" id="admit-all" aria-keyshortcuts="Shift+A" disabled={line.busy} onClick={line.admitAll}>
            {t.line.admitAll(number(all.length))} <kbd>⇧A</kbd>
          </button>
        )}
      </header>
      {rows.length === 0 && <p class="empty">{all.length > 0 ? t.desk.noMatch : pending ? t.line.nonePending : t.line.noneWaiting}</p>}
      <Grid<Entry>
        id={state + "-list"}
        fit
        label={pending ? t.line.pendingList : t.line.waitingList}
        rows={rows}
        columns={columns}
        keyOf={(entry) => entry.user}
        rowClass={(entry) => (entry.online ? "online" : "offline")}
        keys={{ Delete: refuse, x: refuse, b: setBanning, i: about.open, ...(pending ? { Enter: line.admit } : {}) }}
      />
      {about.panel}
      {banning && (
        <Confirm
          id="ban-dialog"
          title={t.line.banTitle(isolated(banning.name))}
          text={t.line.banText}
          yes={t.line.banYes}
          onYes={() => {
            setBanning(null);
            line.remove(banning, true);
          }}
          onClose={() => setBanning(null)}
        />
      )}
    </section>
  );
}

function columnsOf(
  { t, number }: Words,
  state: LineState,
  line: Line,
  onBan: (entry: Entry) => void,
  onOpen: (entry: Entry) => void,
): Column<Entry>[] {
  const words = t.line.columns;
  const pending = state === "pending";
  const all = line[state];
  const remove = pending ? t.line.refuse : t.line.takeOut;
  return [
    { id: "number", label: words.number, show: (entry) => number(all.indexOf(entry) + 1) },
    {
      id: "name",
      label: words.name,
      show: (entry) => (
        <>
          <button class="who" tabIndex={-1} dir="auto" data-testid="person" title={entry.name} onClick={() => onOpen(entry)}>
            {entry.name}
          </button>
          {entry.guest && <span class="pill">{t.desk.guest}</span>}
          {!entry.online && <span class="pill away">{t.line.away}</span>}
        </>
      ),
    },
    {
      id: "action",
      label: words.action,
      show: (entry) => (
        <>
          {pending && (
            <button class="quiet small" tabIndex={-1} data-testid="admit" aria-label={`${t.line.admit}: ${entry.name}`} onClick={() => line.admit(entry)}>
              {t.line.admit} {entry === all[0] && <kbd>A</kbd>}
            </button>
          )}
          <button class="plain small icon worded" tabIndex={-1} data-testid="refuse" title={remove} aria-label={`${remove}: ${entry.name}`} onClick={() => line.remove(entry, false)}>
            <span class="word">{remove}</span>
            <svg viewBox="0 0 24 24" aria-hidden="true">
              <path d="m6 6 12 12M18 6 6 18" />
            </svg>
          </button>
          <button class="plain small icon" tabIndex={-1} data-testid="ban" aria-label={`${t.line.ban}: ${entry.name}`} title={t.line.ban} onClick={() => onBan(entry)}>
            <svg viewBox="0 0 24 24" aria-hidden="true">
              <circle cx="12" cy="12" r="8" />
              <path d="m6.5 6.5 11 11" />
            </svg>
          </button>
        </>
      ),
    },
  ];
}

/** When a card goes with its last person, the focus that was in it stays near. */
function useKeptFocus(card: { current: HTMLElement | null }): void {
  useLayoutEffect(() => {
    const element = card.current;
    return () => {
      if (element?.contains(document.activeElement)) document.getElementById("roster")?.focus();
    };
  }, []);
}
