import { useState } from "preact/hooks";
import type { LecternError } from "../client";
import { Coming, Confirm, ConnectionNote, Fill, Trouble, useHeading } from "./parts";
import { useLoaded, useSpoken, useTitle, useWords } from "./state";
import type { Words } from "./state";
import type { Place, Visit } from "./visit";

const loadOthers = () => import("./others");

/** A place in a room, as large as a phone allows: the seat, or how many are before. */
export function SeatView({ visit, state }: { visit: Visit; state: Place }) {
  const words = useWords();
  const { t, number } = words;
  const { room } = state;
  const { connection } = visit.lectern;
  useTitle(`${titleOf(state, words)} · ${room.title}`);
  const heading = useHeading();
  return (
    <main id="main" class="narrow seat-page" data-place={state.place}>
      <ConnectionNote connection={connection} />
      {connection.name !== "open" && (
        <p class="hint" id="held">
          {heldText(state, words)}
        </p>
      )}
      <header>
        <h1 id="room-title" ref={heading} tabIndex={-1} dir="auto">
          {room.title}
        </h1>
        <p id="instructor">
          <bdi>{room.instructor.name}</bdi>
        </p>
      </header>
      <Spoken state={state} />
      {state.place === "seated" ? <Seat state={state} /> : state.place === "waiting" ? <InLine state={state} /> : <Pending />}
      <div class="fullness">
        <Fill taken={room.taken} capacity={room.capacity} label={t.seat.taken(number(room.taken), number(room.capacity))} />
        <p id="fullness">{t.seat.taken(number(room.taken), number(room.capacity))}</p>
      </div>
      {room.options.roster === "everyone" && state.place === "seated" && <WhoIsHere visit={visit} room={room.id} />}
      <Leave visit={visit} state={state} />
    </main>
  );
}

function titleOf(state: Place, { t }: Words): string {
  if (state.place === "pending") return t.line.pending;
  return state.seat !== null ? t.line.seatTitle(state.seat) : t.line.position(t.line.ordinal(state.position ?? 1));
}

/** What becomes of the place while the connection is lost. */
function heldText({ place, room }: Place, { t }: Words): string {
  const seconds = room.options.seat_hold_seconds;
  if (place !== "seated") return t.line.held;
  return seconds === 0 ? t.connection.held : t.line.seatHeld(t.line.holdTime(seconds));
}

/** Tells what changed without taking the focus; a line that moves is told of now and then. */
function Spoken({ state }: { state: Place }) {
  const words = useWords();
  const { t } = words;
  const text = state.seat === null ? titleOf(state, words) : (state.promoted ? t.line.promoted + " " : "") + t.line.seatSaid(state.seat);
  const spoken = useSpoken(text, state.place);
  return (
    <p class="unseen" role="status" id="place-said">
      {spoken}
    </p>
  );
}

function Seat({ state }: { state: Place }) {
  const { t } = useWords();
  return (
    <section class={"place" + (state.promoted ? " promoted" : "")}>
      <p class="eyebrow">{t.seat.label}</p>
      <p class={"seat-number digits-" + String(state.seat).length} id="seat-number" data-seat={state.seat}>
        {state.seat}
      </p>
      {state.kept && <p class="kept">{t.seat.kept}</p>}
      {state.promoted && (
        <p class="kept" id="promoted">
          {t.line.promoted}
        </p>
      )}
    </section>
  );
}

function InLine({ state }: { state: Place }) {
  const { t, number } = useWords();
  const position = state.position ?? 1;
  const [, digits = "", ending = ""] = /^(\d+)(.*)$/.exec(t.line.ordinal(position)) ?? [];
  return (
    <section class="place">
      <p class="eyebrow">{t.line.yourPlace}</p>
      <p class={"position digits-" + digits.length} id="position" data-position={position}>
        {digits}
        <small>{ending}</small>
      </p>
      <p class="kept">{t.line.ofWaiting(number(Math.max(state.room.waiting, position)))}</p>
      <p class="what-next">{position === 1 ? t.line.first : t.line.next}</p>
      <p class="hint">{t.line.keep}</p>
    </section>
  );
}

function Pending() {
  const { t } = useWords();
  return (
    <section class="place" id="pending">
      <p class="position pending">
        <span class="pulse" aria-hidden="true" />
        {t.line.pending}
      </p>
      <p class="what-next">{t.line.pendingNext}</p>
      <p class="hint">{t.line.keep}</p>
    </section>
  );
}

function WhoIsHere({ visit, room }: { visit: Visit; room: string }) {
  const { t } = useWords();
  const [open, setOpen] = useState(false);
  return (
    <details class="card" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary id="who-is-here">{t.seat.whoIsHere}</summary>
      {open && <Others visit={visit} room={room} />}
    </details>
  );
}

function Others({ visit, room }: { visit: Visit; room: string }) {
  const others = useLoaded(loadOthers);
  return others ? <others.Others lectern={visit.lectern} room={room} /> : <Coming failed={others === false} />;
}

function Leave({ visit, state }: { visit: Visit; state: Place }) {
  const { t } = useWords();
  const [asking, setAsking] = useState(false);
  const [leaving, setLeaving] = useState(false);
  const [trouble, setTrouble] = useState<LecternError | null>(null);
  const seated = state.place === "seated";
  const leave = () => {
    setAsking(false);
    setLeaving(true);
    setTrouble(null);
    visit
      .leave()
      .catch(setTrouble)
      .finally(() => setLeaving(false));
  };
  return (
    <>
      <Trouble error={trouble} />
      <p class="aside">
        <button class="plain" id="leave" onClick={() => setAsking(true)} disabled={leaving}>
          {seated ? t.seat.leave : t.line.leave}
        </button>
      </p>
      {asking && (
        <Confirm
          id="leave-dialog"
          title={seated ? t.seat.leaveTitle : t.line.leaveTitle}
          text={seated ? t.seat.leaveText : t.line.leaveText}
          yes={seated ? t.seat.leaveNow : t.line.leave}
          onYes={leave}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}
