import { useEffect, useState } from "preact/hooks";
import type { Attendance, LecternError, Person, Room } from "../client";
import { Chart } from "./chart";
import { Downloads } from "./downloads";
import { Grid } from "./grid";
import { Link, Trouble, Waiting } from "./parts";
import { api } from "./session";
import { useTitle, useWords } from "./state";

/** What is kept of a closed room. */
export function Record({ room }: { room: Room }) {
  const { t, day, time } = useWords();
  const [record, setRecord] = useState<Attendance | null>(null);
  const [error, setError] = useState<LecternError | null>(null);
  const load = () => {
    setError(null);
    api().attendance(room.id).then(setRecord).catch(setError);
  };
  useEffect(load, [room.id]);
  useTitle(room.title);
  const closed = record?.room ?? room;
  return (
    <main id="main" class="record" data-room={room.id}>
      <header class="desk-head">
        <div>
          <p class="eyebrow">
            <Link href="/teach">{t.desk.back}</Link>
          </p>
          <h1 id="room-title" tabIndex={-1}>
            {closed.title}
          </h1>
          <p class="facts">
            <span class="pill closed">{t.rooms.status.closed}</span>
            {closed.opened_at && (
              <span>
                {day(closed.opened_at)}, {time(closed.opened_at)}
                {closed.closed_at && `–${time(closed.closed_at)}`}
              </span>
            )}
          </p>
        </div>
        <Downloads room={room} />
      </header>
      <Trouble error={error} id="record-error" />
      {error && (
        <button class="quiet" onClick={load}>
          {t.tryAgain}
        </button>
      )}
      {!record && !error && <Waiting text={t.loading} />}
      {record && <Sheet record={record} />}
    </main>
  );
}

function Sheet({ record }: { record: Attendance }) {
  const { t, number } = useWords();
  const { people, timeline, room } = record;
  const peak = timeline.reduce((most, point) => Math.max(most, point.taken), 0);
  const minutes = people.reduce((sum, person) => sum + person.present_seconds, 0) / 60 / Math.max(1, people.length);
  const from = Date.parse(room.opened_at ?? "");
  const to = Date.parse(room.closed_at ?? "");
  return (
    <>
      <dl class="figures wide">
        <Figure id="attended" value={number(people.length)} label={t.record.attended} />
        <Figure id="peak" value={number(peak)} label={t.record.peak} />
        <Figure id="average" value={number(Math.round(minutes))} label={t.record.minutes} />
      </dl>
      {timeline.length > 1 && (
        <section class="card">
          <Chart
            points={timeline.map((p) => ({ at: Date.parse(p.at), taken: p.taken, online: p.online_count }))}
            capacity={room.capacity}
          />
        </section>
      )}
      <section class="card roster-card" aria-labelledby="record-label">
        <h2 id="record-label">{t.record.title}</h2>
        {people.length === 0 && <p class="empty">{t.record.empty}</p>}
        <Grid<Person>
          id="record"
          label={t.record.title}
          rows={people}
          keyOf={(person) => person.user}
          columns={[
            { id: "seat", label: t.record.seat, show: (person) => person.seat ?? "–" },
            {
              id: "name",
              label: t.record.person,
              show: (person) => (
                <>
                  <span class="who">{person.name}</span>
                  {person.guest && <span class="pill">{t.desk.guest}</span>}
                </>
              ),
            },
            { id: "minutes", label: t.record.present, show: (person) =>
                person.present_seconds < 60 ? t.record.sec(number(person.present_seconds)) : t.record.min(number(Math.round(person.present_seconds / 60))),
             },
            { id: "presence", label: t.record.presence, show: (person) => <Presence person={person} from={from} to={to} /> },
            { id: "rejoins", label: t.record.rejoins, show: (person) => number(person.rejoins) },
          ]}
        />
      </section>
    </>
  );
}

function Figure({ id, value, label }: { id: string; value: string; label: string }) {
  return (
    <div>
      <dd id={id}>{value}</dd>
      <dt>{label}</dt>
    </div>
  );
}

/** When someone was there, drawn along the length of the lecture. */
function Presence({ person, from, to }: { person: Person; from: number; to: number }) {
  const { time } = useWords();
  const share = (at: number) => (100 * (Math.min(Math.max(at, from), to) - from)) / Math.max(1, to - from);
  const said = person.intervals.map((i) => `${time(i.from)}–${i.to ? time(i.to) : ""}`).join(", ");
  return (
    <div class="when" title={said} role="img" aria-label={said}>
      {person.intervals.map((interval) => {
        const begin = share(Date.parse(interval.from));
        const end = interval.to ? share(Date.parse(interval.to)) : 100;
        return <span key={interval.from} style={{ left: begin + "%", width: Math.max(0.5, end - begin) + "%" }} />;
      })}
    </div>
  );
}
