import { useEffect, useState } from "preact/hooks";
import { trail } from "../client";
import type { AttendanceRecord, LecternError, LogItem, Person, Room } from "../client";
import { TimeAxis } from "./axis";
import { CorrectionEditor, CorrectionNote, Status } from "./correction";
import { Close, Dialog, Trouble, Waiting } from "./parts";
import { Presence } from "./presence";
import { api } from "./session";
import { hms, useMoments } from "./span";
import type { Moments, Range } from "./span";
import { useWords } from "./state";
import { isolated } from "./text";
import { trailOf } from "./trail";
import { rangeOf, useRecord } from "./userecord";
import type { LoadedRecord } from "./userecord";

interface Subject {
  user: string;
  name: string;
}

/** Everything about one person of a room, for whoever has not loaded the room's record. */
export function PersonOfRoom({ room, subject, onClose }: { room: string; subject: Subject; onClose(): void }) {
  return <PersonPanel loaded={useRecord(room)} subject={subject} onClose={onClose} />;
}

/** One person's attendance, and how it came about. */
export function PersonPanel({ loaded, subject, onClose }: { loaded: LoadedRecord; subject: Subject; onClose(): void }) {
  const { t } = useWords();
  const { record, error, at, load } = loaded;
  return (
    <Dialog id="person" title={isolated(subject.name)} onClose={onClose}>
      <Close onClose={onClose} />
      {!record && !error && <Waiting text={t.loading} />}
      <Trouble error={error} id="person-error" />
      {error && (
        <button class="quiet small" onClick={() => void load()}>
          {t.tryAgain}
        </button>
      )}
      {record && <Story record={record} range={rangeOf(record, at)} user={subject.user} onChange={load} />}
    </Dialog>
  );
}

function Story({ record, range, user, onChange }: { record: AttendanceRecord; range: Range; user: string; onChange(): Promise<void> }) {
  const { t } = useWords();
  const moments = useMoments(range);
  const { room } = record;
  const person = record.people.find((one) => one.user === user);
  const state = person ? JSON.stringify([person.seat, person.intervals, person.correction]) : room.version;
  return (
    <>
      {person ? <Attended room={room} person={person} range={range} moments={moments} onChange={onChange} /> : <p>{t.record.neverSeated}</p>}
      <h3>{t.record.trail.title}</h3>
      <Trail room={room.id} user={user} state={state} moments={moments} />
    </>
  );
}

interface AttendedProps {
  room: Room;
  person: Person;
  range: Range;
  moments: Moments;
  onChange(): Promise<void>;
}

function Attended({ room, person, range, moments, onChange }: AttendedProps) {
  const { t } = useWords();
  const [correcting, setCorrecting] = useState(false);
  return (
    <>
      <p class="facts">
        {person.seat !== null && <span>{t.record.seatNumber(person.seat)}</span>}
        {person.guest && <span class="pill">{t.desk.guest}</span>}
        <Status person={{ ...person, correction: null }} />
      </p>
      <CorrectionNote person={person} room={room} moments={moments} />
      <button class="quiet small" id="correct" onClick={() => setCorrecting(true)}>
        {t.record.correction.change}
      </button>
      <Presence person={person} range={range} moments={moments} />
      <TimeAxis range={range} />
      <Stay person={person} range={range} moments={moments} />
      {correcting && <CorrectionEditor room={room.id} person={person} onChange={onChange} onClose={() => setCorrecting(false)} />}
    </>
  );
}

/** How long someone was there, and when. */
function Stay({ person, range, moments: { second } }: { person: Person; range: Range; moments: Moments }) {
  const { t, number } = useWords();
  const percent = Math.round((100_000 * person.present_seconds) / Math.max(1, range.to - range.from));
  return (
    <>
      <dl class="stay">
        <div>
          <dt>{t.record.columns.present}</dt>
          <dd>
            {hms(person.present_seconds)} <small>{t.record.percent(number(Math.min(100, percent)))}</small>
          </dd>
        </div>
        <div>
          <dt>{t.record.columns.rejoins}</dt>
          <dd>{number(person.rejoins)}</dd>
        </div>
      </dl>
      <h3>{t.record.intervals}</h3>
      {person.intervals.length === 0 && <p>{t.record.never}</p>}
      <ol class="intervals" id="intervals">
        {person.intervals.map((interval) => (
          <li key={interval.from}>
            <span>
              {second(interval.from)}–{interval.to ? second(interval.to) : t.record.now}
            </span>
            <span>{hms(Math.round(((interval.to ? Date.parse(interval.to) : range.to) - Date.parse(interval.from)) / 1000))}</span>
          </li>
        ))}
      </ol>
    </>
  );
}

/** What the room's log says of someone. It is read again whenever `state` is another. */
function Trail({ room, user, state, moments }: { room: string; user: string; state: string | number; moments: Moments }) {
  const { t } = useWords();
  const [items, setItems] = useState<LogItem[] | null>(null);
  const [error, setError] = useState<LecternError | null>(null);
  const [tries, setTries] = useState(0);
  useEffect(() => {
    let current = true;
    setError(null);
    readTrail(room, user, () => current)
      .then((read) => current && setItems(read))
      .catch((refusal: LecternError) => current && setError(refusal));
    return () => {
      current = false;
    };
  }, [room, user, state, tries]);
  const steps = trailOf(items ?? [], user, t);
  return (
    <>
      {!items && !error && <Waiting text={t.loading} />}
      <ol class="trail" id="trail">
        {steps.map((step, i) => (
          <li key={i} class={step.trouble ? "amiss" : ""}>
            <time dateTime={step.at}>{moments.exact(step.at)}</time> <span dir="auto">{step.text}</span>
          </li>
        ))}
      </ol>
      {items && steps.length === 0 && <p>{t.record.trail.empty}</p>}
      <Trouble error={error} id="trail-error" />
      {error && (
        <button class="quiet small" onClick={() => setTries(tries + 1)}>
          {t.tryAgain}
        </button>
      )}
    </>
  );
}

/** All pages, for as long as they are wanted. */
async function readTrail(room: string, user: string, wanted: () => boolean): Promise<LogItem[]> {
  const items: LogItem[] = [];
  let cursor: string | null = null;
  do {
    const read = await trail(api(), room, user, cursor);
    items.push(...read.items);
    cursor = read.next_cursor;
  } while (cursor && wanted());
  return items;
}
