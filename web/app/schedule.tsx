import { useEffect, useState } from "preact/hooks";
import type { LecternError, Room } from "../client";
import { clockOf, fieldTime, localField, nextHour, spanOf } from "./clock";
import { InPlace } from "./inplace";
import { Trouble } from "./parts";
import { useCountdown, useWords } from "./state";
import type { WatchedRoom } from "./watchroom";

interface PartProps {
  watched: WatchedRoom;
  room: Room;
}

/** Beyond an hour, seconds that run say nothing. */
const clockWithin = 3600;
const warnWithin = 10 * 60;
const extension = 30;
/** A week, the longest that a room may stay open. */
const mostMinutes = 10_080;

const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Now, or at a time on the clock of this machine. */
export function When({ later, onChange }: { later: boolean; onChange(later: boolean): void }) {
  const { t } = useWords();
  return (
    <fieldset class="when-field">
      <legend>{t.schedule.when}</legend>
      <div class="choice">
        {[false, true].map((choice) => (
          <label key={String(choice)}>
            <input type="radio" name="when" id={choice ? "open-later" : "open-now"} checked={later === choice} onChange={() => onChange(choice)} />
            <span>{choice ? t.schedule.later : t.schedule.now}</span>
          </label>
        ))}
      </div>
      {later && (
        <>
          <label for="open-at">{t.schedule.at}</label>
          <input
            id="open-at"
            name="starts_at"
            type="datetime-local"
            required
            min={localField(Date.now())}
            defaultValue={localField(nextHour(Date.now()))}
            aria-describedby="open-zone"
          />
          <p class="hint" id="open-zone">
            {t.schedule.zone(zone())}
          </p>
        </>
      )}
    </fieldset>
  );
}

/** How long until a scheduled room opens, and the ways to open it at another time. */
export function StartCard({ watched, room, onStart, error }: PartProps & { onStart(): void; error: LecternError | null }) {
  const { t, moment } = useWords();
  const [editing, setEditing] = useState(false);
  const startsAt = room.options.starts_at ?? new Date().toISOString();
  const seconds = useCountdown(watched.lectern.localTime(startsAt));
  return (
    <section class="card start-card" aria-labelledby="start-label" id="start-card" data-starts-at={startsAt}>
      <h2 class="eyebrow" id="start-label">
        {seconds > 0 ? t.schedule.startsIn : t.schedule.starting}
      </h2>
      <p class="countdown" id="countdown" role="timer" aria-live="off">
        {seconds <= clockWithin ? clockOf(seconds) : t.schedule.span(spanOf(seconds * 1000))}
      </p>
      <p class="starts-at">{moment(startsAt)}</p>
      <p class="hint">{t.schedule.joinFrom}</p>
      {editing ? (
        <>
          <InPlace
            id="starts-at-input"
            label={t.schedule.at}
            value={localField(Date.parse(startsAt))}
            attributes={{ type: "datetime-local", required: true, min: localField(Date.now()) }}
            from="reschedule"
            save={(field) => watched.ask("update", { options: { starts_at: fieldTime(field) } })}
            onDone={() => setEditing(false)}
          />
          <p class="hint">{t.schedule.zone(zone())}</p>
        </>
      ) : (
        <div class="actions">
          <button class="primary" id="start" onClick={onStart}>
            {t.schedule.start} <kbd>S</kbd>
          </button>
          <button class="quiet" id="reschedule" onClick={() => setEditing(true)}>
            {t.schedule.change}
          </button>
        </div>
      )}
      <Trouble error={error} id="start-error" />
    </section>
  );
}

function useExtension({ watched, room }: PartProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<LecternError | null>(null);
  const minutes = Math.min(mostMinutes, room.options.max_minutes + extension);
  const extend = () => {
    setBusy(true);
    setError(null);
    watched
      .ask("update", { options: { max_minutes: minutes } })
      .catch(setError)
      .finally(() => setBusy(false));
  };
  return { extend, error, off: busy || minutes === room.options.max_minutes };
}

/** When the room closes by itself, and one tap for more time. */
export function Closes({ watched, room }: PartProps) {
  const { t, moment } = useWords();
  const [editing, setEditing] = useState(false);
  const { extend, error, off } = useExtension({ watched, room });
  const left = useMinutesLeft(watched, room.closes_at);
  if (editing) {
    return (
      <div class="setting">
        <InPlace
          id="minutes-input"
          label={t.schedule.maxMinutes}
          value={String(room.options.max_minutes)}
          attributes={{ type: "number", inputMode: "numeric", min: 1, max: mostMinutes, required: true }}
          from="edit-minutes"
          save={(minutes) => watched.ask("update", { options: { max_minutes: Number(minutes) } })}
          onDone={() => setEditing(false)}
        />
      </div>
    );
  }
  return (
    <div class="setting closes">
      <button class="plain-setting" id="edit-minutes" onClick={() => setEditing(true)}>
        <strong>{t.schedule.closes}</strong>
        <small id="closes-at" data-minutes={room.options.max_minutes}>
          {room.closes_at ? t.schedule.closesAt(moment(room.closes_at), t.schedule.span(spanOf(left))) : t.schedule.afterOpening(t.schedule.span(spanOf(room.options.max_minutes * 60_000)))}
        </small>
      </button>
      {room.status === "open" && (
        <button class="quiet small" id="extend" aria-label={t.schedule.extendLong} title={t.schedule.extendLong} disabled={off} onClick={extend}>
          {t.schedule.extend}
        </button>
      )}
      <Trouble error={error} id="extend-error" />
    </div>
  );
}

/** Said while there is still time to do something about it. */
export function ClosingSoon({ watched, room }: PartProps) {
  const { t } = useWords();
  const { extend, error, off } = useExtension({ watched, room });
  const seconds = useCountdown(room.closes_at === null ? null : watched.lectern.localTime(room.closes_at));
  const soon = room.status === "open" && room.closes_at !== null && seconds < warnWithin;
  return (
    <>
      <p class="unseen" role="status">
        {soon && t.schedule.closingSoonSaid(seconds < 60 ? 1 : seconds < 300 ? 5 : 10)}
      </p>
      {soon && (
        <section class="banner" id="closing-soon">
          <p>
            {t.schedule.closingSoon} <strong>{clockOf(seconds)}</strong>
          </p>
          <button class="quiet small" id="extend-now" disabled={off} onClick={extend}>
            {t.schedule.extendLong}
          </button>
          <Trouble error={error} id="closing-error" />
        </section>
      )}
    </>
  );
}

/** Milliseconds until the room closes, to the minute. */
function useMinutesLeft(watched: WatchedRoom, closesAt: string | null): number {
  const left = () => (closesAt === null ? 0 : watched.lectern.localTime(closesAt) - Date.now());
  const [now, setNow] = useState(left);
  useEffect(() => {
    setNow(left());
    const timer = setInterval(() => setNow(left()), 5_000);
    return () => clearInterval(timer);
  }, [closesAt]);
  return now;
}
