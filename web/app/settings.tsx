import { useState } from "preact/hooks";
import type { LecternError, Room, RoomOptions } from "../client";
import { Bans } from "./bans";
import { InPlace } from "./inplace";
import { Confirm, Trouble } from "./parts";
import { Closes } from "./schedule";
import { useWords } from "./state";
import type { WatchedRoom } from "./watchroom";

interface PartProps {
  watched: WatchedRoom;
  room: Room;
}

export function Settings({ watched, room, onError }: PartProps & { onError(error: LecternError | null): void }) {
  const { t, number } = useWords();
  const set = (options: Partial<RoomOptions>) => {
    onError(null);
    watched.ask("update", { options }).catch(onError);
  };
  const { locked, guests, roster, waitlist, approval } = room.options;
  const { pending } = watched.roster.counts;
  return (
    <section class="card settings" aria-labelledby="settings-label">
      <h2 class="eyebrow" id="settings-label">
        {t.desk.settings}
      </h2>
      <Switch id="lock" on={locked} label={t.desk.lock} hint={t.desk.lockHint} onChange={(on) => set({ locked: on })} />
      <Switch id="waitlist" on={waitlist} label={t.line.waitlist} hint={t.line.waitlistHint} onChange={(on) => set({ waitlist: on })} />
      <Switch
        id="approval"
        on={approval}
        label={t.line.approval}
        hint={approval ? t.line.approvalOff(number(pending)) : t.line.approvalHint}
        onChange={(on) => set({ approval: on })}
      />
      <Switch id="guests" on={guests} label={t.desk.guests} hint={t.desk.guestsHint} onChange={(on) => set({ guests: on })} />
      <Switch
        id="roster-for-all"
        on={roster === "everyone"}
        label={t.desk.rosterForAll}
        hint={t.desk.rosterForAllHint}
        onChange={(on) => set({ roster: on ? "everyone" : "instructor" })}
      />
      <Capacity watched={watched} room={room} />
      <SeatHold seconds={room.options.seat_hold_seconds} onChange={(seconds) => set({ seat_hold_seconds: seconds })} />
      <Closes watched={watched} room={room} />
      <Bans watched={watched} />
      <CloseRoom watched={watched} scheduled={room.status === "scheduled"} onError={onError} />
    </section>
  );
}

function Switch(props: { id: string; on: boolean; label: string; hint: string; onChange(on: boolean): void }) {
  return (
    <button class="switch" id={props.id} role="switch" aria-checked={props.on} onClick={() => props.onChange(!props.on)}>
      <span>
        <strong>{props.label}</strong>
        <small>{props.hint}</small>
      </span>
      <span class="track" aria-hidden="true" />
    </button>
  );
}

function Capacity({ watched, room }: PartProps) {
  const { t, number } = useWords();
  const [editing, setEditing] = useState(false);
  if (editing) {
    return (
      <div class="setting">
        <InPlace
          id="capacity-input"
          label={t.desk.seats}
          value={String(room.capacity)}
          attributes={{ type: "number", inputMode: "numeric", min: 1, max: 100000, required: true }}
          from="edit-capacity"
          save={(seats) => watched.ask("update", { capacity: Number(seats) })}
          onDone={() => setEditing(false)}
        />
      </div>
    );
  }
  return (
    <button class="setting" id="edit-capacity" onClick={() => setEditing(true)}>
      <strong>{t.desk.seats}</strong>
      <span id="capacity" data-capacity={room.capacity}>
        {number(room.capacity)}
      </span>
    </button>
  );
}

/** What most lectures want; another time is typed. */
const holds = [0, 60, 300, 600];
const longestHold = 1440;

function SeatHold({ seconds, onChange }: { seconds: number; onChange(seconds: number): void }) {
  const { t } = useWords();
  const [typing, setTyping] = useState(false);
  if (typing) {
    return (
      <div class="setting">
        <InPlace
          id="hold-input"
          label={t.line.ownHold}
          value={String(Math.max(1, Math.round(seconds / 60)))}
          attributes={{ type: "number", inputMode: "numeric", min: 1, max: longestHold, required: true }}
          from="hold"
          save={async (minutes) => onChange(60 * Number(minutes))}
          onDone={() => setTyping(false)}
        />
      </div>
    );
  }
  const choices = holds.includes(seconds) ? holds : [...holds, seconds];
  return (
    <label class="setting hold">
      <span>
        <strong>{t.line.hold}</strong>
        <small>{t.line.holdHint}</small>
      </span>
      <select
        id="hold"
        value={seconds}
        onChange={({ currentTarget }) => {
          const chosen = currentTarget.value;
          currentTarget.value = String(seconds);
          if (chosen === "own") setTyping(true);
          else onChange(Number(chosen));
        }}
      >
        {choices.map((choice) => (
          <option key={choice} value={choice}>
            {choice === 0 ? t.line.holds.end : t.line.holdTime(choice)}
          </option>
        ))}
        <option value="own">{t.line.holds.own}</option>
      </select>
    </label>
  );
}

export function CodeRenewal({ watched }: { watched: WatchedRoom }) {
  const { t } = useWords();
  const [asking, setAsking] = useState(false);
  const [error, setError] = useState<LecternError | null>(null);
  const renew = () => {
    setAsking(false);
    setError(null);
    watched.ask("update", { new_code: true }).catch(setError);
  };
  return (
    <>
      <button class="quiet" id="new-code" onClick={() => setAsking(true)}>
        {t.desk.newCode}
      </button>
      <Trouble error={error} id="new-code-error" />
      {asking && (
        <Confirm
          id="new-code-dialog"
          title={t.desk.newCodeTitle}
          text={t.desk.newCodeText}
          yes={t.desk.newCode}
          onYes={renew}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}

function CloseRoom({ watched, scheduled, onError }: { watched: WatchedRoom; scheduled: boolean; onError(error: LecternError | null): void }) {
  const { t } = useWords();
  const [asking, setAsking] = useState(false);
  const close = () => {
    setAsking(false);
    onError(null);
    watched.ask("close", {}).catch(onError);
  };
  return (
    <>
      <button class="danger wide" id="close-room" onClick={() => setAsking(true)}>
        {scheduled ? t.schedule.callOff : t.desk.closeRoom}
      </button>
      {asking && (
        <Confirm
          id="close-dialog"
          title={scheduled ? t.schedule.callOffTitle : t.desk.closeTitle}
          text={scheduled ? t.schedule.callOffText : t.desk.closeText}
          yes={scheduled ? t.schedule.callOff : t.desk.closeRoom}
          onYes={close}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}
