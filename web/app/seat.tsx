import { useState } from "preact/hooks";
import type { LecternError } from "../client";
import { Confirm, ConnectionNote, Fill, Trouble, useHeading, Waiting } from "./parts";
import { useLoaded, useTitle, useWords } from "./state";
import type { Visit, VisitState } from "./visit";

const loadOthers = () => import("./others");

/** The seat, as large as a phone allows. */
export function SeatView({ visit, state }: { visit: Visit; state: Extract<VisitState, { step: "in" }> }) {
  const { t, number } = useWords();
  const [asking, setAsking] = useState(false);
  const [leaving, setLeaving] = useState(false);
  const [trouble, setTrouble] = useState<LecternError | null>(null);
  const { room } = state;
  useTitle(room.title);
  const heading = useHeading();
  const leave = () => {
    setAsking(false);
    setLeaving(true);
    setTrouble(null);
    visit
      .leave()
      .catch(setTrouble)
      .finally(() => setLeaving(false));
  };
  const { connection } = visit.lectern;
  return (
    <main id="main" class="narrow seat-page">
      <ConnectionNote connection={connection} />
      {connection.name !== "open" && room.options.seat_hold_seconds === 0 && state.place === "seated" && (
        <p class="hint" id="held">
          {t.connection.held}
        </p>
      )}
      <header>
        <h1 id="room-title" ref={heading} tabIndex={-1}>
          {room.title}
        </h1>
        <p id="instructor">{room.instructor.name}</p>
      </header>
      <Place state={state} />
      <div class="fullness">
        <Fill taken={room.taken} capacity={room.capacity} label={t.seat.taken(number(room.taken), number(room.capacity))} />
        <p id="fullness">{t.seat.taken(number(room.taken), number(room.capacity))}</p>
      </div>
      {room.options.roster === "everyone" && state.place === "seated" && (
        <WhoIsHere visit={visit} room={room.id} />
      )}
      <Trouble error={trouble} />
      <p class="aside">
        <button class="plain" id="leave" onClick={() => setAsking(true)} disabled={leaving}>
          {t.seat.leave}
        </button>
      </p>
      {asking && (
        <Confirm
          id="leave-dialog"
          title={t.seat.leaveTitle}
          text={t.seat.leaveText}
          yes={t.seat.leaveNow}
          onYes={leave}
          onClose={() => setAsking(false)}
        />
      )}
    </main>
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
  const { t } = useWords();
  const others = useLoaded(loadOthers);
  return others ? <others.Others lectern={visit.lectern} room={room} /> : <Waiting text={t.loading} />;
}

function Place({ state }: { state: Extract<VisitState, { step: "in" }> }) {
  const { t } = useWords();
  if (state.place !== "seated" || state.seat === null) {
    const waiting = state.place === "waiting";
    return (
      <section class="place" aria-live="polite">
        <p class="eyebrow">{waiting ? t.seat.waiting : t.seat.pending}</p>
        {state.position !== null && (
          <p class="position" id="position">
            {t.seat.position(state.position)}
          </p>
        )}
        <p>{waiting ? t.seat.waitingNext : t.seat.pendingNext}</p>
      </section>
    );
  }
  const digits = String(state.seat).length;
  return (
    <section class="place" aria-live="polite">
      <p class="eyebrow">{t.seat.label}</p>
      <p class={"seat-number digits-" + digits} id="seat-number" data-seat={state.seat}>
        {state.seat}
      </p>
      {state.kept && <p class="kept">{t.seat.kept}</p>}
    </section>
  );
}
