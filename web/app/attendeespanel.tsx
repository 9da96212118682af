import { useMemo, useState } from "preact/hooks";
import type { Person } from "../client";
import { lastLeft, rowsOf, sorts, statuses } from "./attendees";
import type { Filter, Look, SortBy } from "./attendees";
import { Status } from "./correction";
import { Grid } from "./grid";
import type { Column } from "./grid";
import { Presence } from "./presence";
import { hms, useMoments } from "./span";
import type { Range } from "./span";
import { useWords } from "./state";

interface Props {
  people: readonly Person[];
  range: Range;
  onOpen(person: Person): void;
  onCorrect(person: Person): void;
  /** What is looked at now, in order. */
  look: Look;
  onLook(look: Look): void;
}

/** Everyone who came, each with the time that they were there. */
export function AttendeesPanel({ people, range, look, onLook, onOpen, onCorrect }: Props) {
  const { t, number } = useWords();
  const rows = useMemo(() => rowsOf(people, look), [people, look]);
  const columns = useColumns({ range, look, onLook, onOpen, onCorrect });
  const shown = number(rows.length);
  return (
    <section class="card roster-card" aria-labelledby="record-label">
      <header>
        <h2 id="record-label">
          {t.record.people}{" "}
          <small id="record-count">{rows.length === people.length ? t.desk.people(shown) : t.record.some(shown, number(people.length))}</small>
        </h2>
        <LookAt look={look} onLook={onLook} filters={look.filter !== "all" || people.some((person) => person.status)} />
      </header>
      {rows.length === 0 && <p class="empty">{t.desk.noMatch}</p>}
      <Grid<Person>
        id="record"
        label={t.record.title}
        rows={rows}
        columns={columns}
        keyOf={(person) => person.user}
        keys={{ Enter: onOpen, i: onOpen, s: onCorrect }}
        fit
      />
      <p class="hint keys-hint">
        <kbd>↑</kbd> <kbd>↓</kbd> {t.record.keys.move} · <kbd>Enter</kbd> {t.record.keys.open} · <kbd>S</kbd> {t.record.keys.correct}
      </p>
    </section>
  );
}

function LookAt({ look, onLook, filters }: { look: Look; onLook(look: Look): void; filters: boolean }) {
  const { t } = useWords();
  const choices: Filter[] = ["all", ...statuses];
  return (
    <div class="look">
      <input
        id="record-search"
        type="search"
        value={look.query}
        placeholder={t.desk.search}
        aria-label={t.desk.search}
        onInput={(event) => onLook({ ...look, query: event.currentTarget.value })}
      />
      {filters && (
        <fieldset class="choice">
          <legend class="unseen">{t.desk.filter}</legend>
          {choices.map((filter) => (
            <label key={filter}>
              <input
                type="radio"
                name="filter"
                id={"filter-" + filter}
                checked={look.filter === filter}
                onChange={() => onLook({ ...look, filter })}
              />
              <span>{filter === "all" ? t.desk.filters.all : t.record.statuses[filter]}</span>
            </label>
          ))}
        </fieldset>
      )}
    </div>
  );
}

function useColumns({ range, look, onLook, onOpen, onCorrect }: Omit<Props, "people">): Column<Person>[] {
  const { t, number } = useWords();
  const moments = useMoments(range);
  const words = t.record.columns;
  const shows: { [by in SortBy]: Column<Person>["show"] } = {
    seat: (person) => person.seat ?? "–",
    name: (person) => (
      <>
        <button class="who" tabIndex={-1} dir="auto" data-testid="person" title={person.name} onClick={() => onOpen(person)}>
          {person.name}
        </button>
        {person.guest && <span class="pill">{t.desk.guest}</span>}
      </>
    ),
    joined: (person) => (person.first_joined_at ? moments.second(person.first_joined_at) : "–"),
    left: (person) => lastLeft(person, moments.second, t.record.now),
    present: (person) => hms(person.present_seconds),
    rejoins: (person) => number(person.rejoins),
    status: (person) => (
      <button
        class="status"
        tabIndex={-1}
        data-testid="status"
        data-status={person.status ?? ""}
        title={t.record.correction.change}
        onClick={() => onCorrect(person)}
      >
        <Status person={person} />
      </button>
    ),
    presence: (person) => <Presence person={person} range={range} moments={moments} />,
  };
  return sorts.map((by) => ({
    id: by,
    label: words[by],
    sortLabel: t.desk.sortBy(words[by]),
    sorted: look.by !== by ? "none" : look.down ? "descending" : "ascending",
    onSort: () => onLook({ ...look, by, down: look.by === by && !look.down }),
    show: shows[by],
  }));
}

/** As a class register is read. */
export const useLook = () => useState<Look>({ by: "seat", down: false, filter: "all", query: "" });
