import { useMemo, useState } from "preact/hooks";
import type { AttendanceRecord, Person, Room } from "../client";
import { summaryOf } from "./attendees";
import type { Summary } from "./attendees";
import { AttendeesPanel, useLook } from "./attendeespanel";
import { Chart } from "./chart";
import { CorrectionEditor } from "./correction";
import { Downloads } from "./downloads";
import { Link, Notice, Trouble, Waiting } from "./parts";
import { PersonPanel } from "./person";
import { PolicyCard } from "./policy";
import { usePrinted } from "./printed";
import { useShortcuts } from "./shortcuts";
import { hms } from "./span";
import { useTitle, useWords } from "./state";
import { rangeOf, useRecord } from "./userecord";
import type { LoadedRecord } from "./userecord";

/** What is kept of a room, during the class and after it. */
export function Record({ id, room }: { id: string; room?: Room }) {
  const { t } = useWords();
  const loaded = useRecord(id);
  const { record, error, load } = loaded;
  const shown = record?.room ?? room;
  useTitle(shown?.title ?? t.record.title);
  if (error?.code === "not_found") {
    return (
      <main id="main" class="narrow">
        <Notice advice={t.desk.refused} id="refused">
          <Link href="/teach" class="button primary">
            {t.desk.back}
          </Link>
        </Notice>
      </main>
    );
  }
  return (
    <main id="main" class="record" data-room={id}>
      {shown && <Head room={shown} at={loaded.at} />}
      <Trouble error={error} id="record-error" />
      {error && (
        <button class="quiet" id="record-again" onClick={() => void load()}>
          {t.tryAgain}
        </button>
      )}
      {!record && !error && <Waiting text={t.loading} />}
      {record && <Sheet record={record} loaded={loaded} />}
    </main>
  );
}

function Head({ room, at }: { room: Room; at: number }) {
  const { t, seconds, stretch } = useWords();
  const closed = room.status === "closed";
  return (
    <header class="desk-head">
      <div>
        <p class="eyebrow">
          <Link href={closed ? "/teach" : "/teach/" + room.id}>{closed ? t.desk.back : t.record.toDesk}</Link>
        </p>
        <h1 id="room-title" tabIndex={-1} dir="auto">
          {room.title}
        </h1>
        <p class="facts">
          <span class={"pill " + room.status}>{t.rooms.status[room.status]}</span>
          {room.opened_at && <span>{stretch(room.opened_at, room.closed_at)}</span>}
          {!closed && at > 0 && <span id="as-of">{t.record.asOf(seconds(new Date(at).toISOString()))}</span>}
        </p>
      </div>
      <div class="record-tools">
        <Downloads room={room} />
        <button class="quiet small" id="print" onClick={() => print()}>
          {t.record.print}
        </button>
      </div>
    </header>
  );
}

function Sheet({ record, loaded }: { record: AttendanceRecord; loaded: LoadedRecord }) {
  const { t, moment } = useWords();
  const { people, timeline, room, policy } = record;
  const [look, setLook] = useLook();
  const [opened, setOpened] = useState<Person | null>(null);
  const [correcting, setCorrecting] = useState<Person | null>(null);
  const range = rangeOf(record, loaded.at);
  const summary = summaryOf(people);
  const points = useMemo(() => timeline.map((p) => ({ at: Date.parse(p.at), taken: p.taken, online: p.online_count })), [timeline]);
  useShortcuts({ "/": () => document.getElementById("record-search")?.focus() });
  usePrinted({ record, range, look, summary });
  const policyCard = <PolicyCard room={room.id} policy={policy} counts={summary.counts} onChange={loaded.load} />;
  if (people.length === 0) {
    const start = room.options.starts_at;
    return (
      <>
        {policyCard}
        <p class="empty" id="nobody">
          {room.status === "closed" ? t.record.empty : room.status === "scheduled" && start ? t.record.notStarted(moment(start)) : t.record.emptyYet}
        </p>
      </>
    );
  }
  return (
    <>
      <Figures record={record} summary={summary} />
      {policyCard}
      <section class="card">
        <Chart points={points} capacity={room.capacity} to={range.to} />
      </section>
      <AttendeesPanel people={people} range={range} look={look} onLook={setLook} onOpen={setOpened} onCorrect={setCorrecting} />
      {opened && <PersonPanel loaded={loaded} subject={opened} onClose={() => setOpened(null)} />}
      {correcting && (
        <CorrectionEditor key={correcting.user} room={room.id} person={correcting} onChange={loaded.load} onClose={() => setCorrecting(null)} />
      )}
    </>
  );
}

function Figures({ record: { people, timeline }, summary }: { record: AttendanceRecord; summary: Summary }) {
  const { t, number } = useWords();
  const peak = timeline.reduce((most, point) => Math.max(most, point.taken), 0);
  return (
    <dl class="figures wide" aria-live="off">
      <Figure id="attended" value={number(people.length)} label={t.record.attended} />
      {summary.counts.map(({ status, people }) => (
        <Figure key={status} id={"count-" + status} value={number(people)} label={t.record.statuses[status]} />
      ))}
      <Figure id="peak" value={number(peak)} label={t.record.peak} />
      <Figure id="average" value={hms(summary.average)} label={t.record.average} />
      <Figure id="longest" value={hms(summary.longest)} label={t.record.longest} />
    </dl>
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
