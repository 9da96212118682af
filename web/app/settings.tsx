import { useEffect, useRef, useState } from "preact/hooks";
import type { Ban, LecternError, Room, RoomOptions } from "../client";
import { Confirm, Trouble } from "./parts";
import { api } from "./session";
import { useWords } from "./state";
import type { WatchedRoom } from "./watchroom";

interface PartProps {
  watched: WatchedRoom;
  room: Room;
}

export function Title({ watched, room }: PartProps) {
  const { t } = useWords();
  const [editing, setEditing] = useState(false);
  if (!editing) {
    return (
      <div class="title-line">
        <h1 id="room-title" tabIndex={-1}>
          {room.title}
        </h1>
        <button class="plain edit" id="edit-title" onClick={() => setEditing(true)} aria-label={t.desk.editTitle} title={t.desk.editTitle}>
          <svg viewBox="0 0 24 24" aria-hidden="true">
            <path d="M4 20h4L19.5 8.5l-4-4L4 16zM13 7l4 4" />
          </svg>
        </button>
      </div>
    );
  }
  return (
    <InPlace
      id="title-input"
      label={t.desk.title}
      value={room.title}
      attributes={{ maxLength: 200, required: true }}
      save={(title) => watched.ask("update", { title: title.trim() })}
      onDone={() => setEditing(false)}
    />
  );
}

/** A value that is edited where it stands: Enter keeps, Escape forgets. */
function InPlace(props: {
  id: string;
  label: string;
  value: string;
  attributes: preact.InputHTMLAttributes;
  save(value: string): Promise<unknown>;
  onDone(): void;
}) {
  const { t } = useWords();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<LecternError | null>(null);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.select(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    setBusy(true);
    props
      .save(input.current!.value)
      .then(props.onDone)
      .catch((refusal: LecternError) => {
        setError(refusal);
        setBusy(false);
      });
  };
  return (
    <form class="in-place" onSubmit={submit} onKeyDown={(event) => event.key === "Escape" && props.onDone()}>
      <input ref={input} id={props.id} aria-label={props.label} defaultValue={props.value} {...props.attributes} />
      <button type="submit" class="primary small" id={props.id + "-save"} disabled={busy}>
        {t.save}
      </button>
      <button type="button" class="quiet small" onClick={props.onDone}>
        {t.cancel}
      </button>
      <Trouble error={error} id={props.id + "-error"} />
    </form>
  );
}

export function Settings({ watched, room, onError }: PartProps & { onError(error: LecternError | null): void }) {
  const { t } = useWords();
  const set = (options: Partial<RoomOptions>) => {
    onError(null);
    watched.ask("update", { options }).catch(onError);
  };
  const { locked, guests, roster } = room.options;
  return (
    <section class="card settings" aria-labelledby="settings-label">
      <h2 class="eyebrow" id="settings-label">
        {t.desk.settings}
      </h2>
      <Switch id="lock" on={locked} label={t.desk.lock} hint={t.desk.lockHint} onChange={(on) => set({ locked: on })} />
      <Switch id="guests" on={guests} label={t.desk.guests} hint={t.desk.guestsHint} onChange={(on) => set({ guests: on })} />
      <Switch
        id="roster-for-all"
        on={roster === "everyone"}
        label={t.desk.rosterForAll}
        hint={t.desk.rosterForAllHint}
        onChange={(on) => set({ roster: on ? "everyone" : "instructor" })}
      />
      <Capacity watched={watched} room={room} />
      <Bans room={room} />
      <CloseRoom watched={watched} onError={onError} />
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

function Bans({ room }: { room: Room }) {
  const { t, time } = useWords();
  const [bans, setBans] = useState<Ban[] | null>(null);
  const [error, setError] = useState<LecternError | null>(null);
  const load = () => {
    setError(null);
    api()
      .bans(room.id)
      .then((page) => setBans(page.items))
      .catch(setError);
  };
  const unban = (user: string) => {
    setError(null);
    api()
      .unban(room.id, user)
      .then(load)
      .catch(setError);
  };
  return (
    <details class="bans" onToggle={(event) => event.currentTarget.open && load()}>
      <summary id="bans">{t.desk.bans}</summary>
      {bans?.length === 0 && <p class="hint">{t.desk.bansNone}</p>}
      <ul id="ban-list">
        {bans?.map((ban) => (
          <li key={ban.user} data-user={ban.user}>
            <span>
              {ban.name} <small>{time(ban.at)}</small>
            </span>
            <button class="quiet small" data-testid="unban" onClick={() => unban(ban.user)}>
              {t.desk.unban}
            </button>
          </li>
        ))}
      </ul>
      <Trouble error={error} id="bans-error" />
    </details>
  );
}

function CloseRoom({ watched, onError }: { watched: WatchedRoom; onError(error: LecternError | null): void }) {
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
        {t.desk.closeRoom}
      </button>
      {asking && (
        <Confirm
          id="close-dialog"
          title={t.desk.closeTitle}
          text={t.desk.closeText}
          yes={t.desk.closeRoom}
          onYes={close}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}
