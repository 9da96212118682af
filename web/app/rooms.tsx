import { useEffect, useRef, useState } from "preact/hooks";
import { browser } from "../client";
import type { LecternError, Page, Room } from "../client";
import { Downloads } from "./downloads";
import { fieldTime, spanOf } from "./clock";
import { Link, Trouble, Waiting } from "./parts";
import { When } from "./schedule";
import { api, randomKey, serverNow } from "./session";
import { go, useTitle, useWords } from "./state";

/** The server opens a room at its time; this much later it has. */
const afterStart = 1_500;

/** An instructor's rooms, and where a new one is opened. */
export function Rooms() {
  const { t } = useWords();
  const [list, setList] = useState<Page<Room> | null>(null);
  const [trouble, setTrouble] = useState<LecternError | null>(null);
  useTitle(t.rooms.pageTitle);
  const load = (cursor: string | null) => {
    setTrouble(null);
    api()
      .rooms(cursor)
      .then((page) => setList((known) => (cursor ? followed(known, cursor, page) : page)))
      .catch(setTrouble);
  };
  const lookAgain = ({ id }: Room) => {
    api()
      .room(id)
      .then(({ room }) => setList((known) => known && { ...known, items: known.items.map((one) => (one.id === id ? room : one)) }))
      .catch(setTrouble);
  };
  useEffect(() => load(null), []);
  const rooms = list?.items;
  const scheduled = rooms?.filter((room) => room.status === "scheduled") ?? [];
  const others = rooms?.filter((room) => room.status !== "scheduled") ?? [];
  useLookAtStart(scheduled, lookAgain);
  return (
    <main id="main" class="rooms">
      <h1 tabIndex={-1}>{t.rooms.title}</h1>
      <div class="columns">
        <OpenForm />
        <section aria-busy={!rooms}>
          <Trouble error={trouble} id="rooms-error" />
          {trouble && (
            <button class="quiet" onClick={() => load(null)}>
              {t.tryAgain}
            </button>
          )}
          {!rooms && !trouble && <Waiting text={t.loading} />}
          {rooms?.length === 0 && <p class="empty">{t.rooms.none}</p>}
          {scheduled.length > 0 && (
            <>
              <h2 class="eyebrow">{t.schedule.scheduled}</h2>
              <ul class="room-list" id="scheduled-list">
                {scheduled.map((room) => (
                  <RoomItem key={room.id} room={room} />
                ))}
              </ul>
              {others.length > 0 && <h2 class="eyebrow">{t.schedule.others}</h2>}
            </>
          )}
          <ul class="room-list" id="room-list">
            {others.map((room) => (
              <RoomItem key={room.id} room={room} />
            ))}
          </ul>
          {list?.next_cursor && (
            <button class="quiet wide" id="older" onClick={() => load(list.next_cursor)}>
              {t.rooms.older}
            </button>
          )}
        </section>
      </div>
    </main>
  );
}

/** The list with the page behind a cursor; as it is, where a second click asked for that page again. */
export function followed(known: Page<Room> | null, cursor: string, page: Page<Room>): Page<Room> | null {
  return known?.next_cursor === cursor ? { ...page, items: known.items.concat(page.items) } : known;
}

/** The list is as it was loaded; a room that opens by itself is looked at again. */
function useLookAtStart(scheduled: Room[], lookAgain: (room: Room) => void): void {
  const startOf = (room: Room) => Date.parse(room.options.starts_at ?? "");
  const next = scheduled.reduce<Room | null>((first, room) => (first && startOf(first) <= startOf(room) ? first : room), null);
  useEffect(() => {
    if (!next) return;
    return browser.after(Math.max(0, startOf(next) - serverNow()) + afterStart, () => lookAgain(next));
  }, [next]);
}

function RoomItem({ room }: { room: Room }) {
  const { t, number, when, stretch } = useWords();
  const startsAt = room.status === "scheduled" ? room.options.starts_at : null;
  const closed = room.status === "closed";
  return (
    <li class={"room-item " + room.status} data-room={room.id} data-status={room.status}>
      <div>
        <h3>
          <Link href={"/teach/" + room.id}>
            <bdi>{room.title}</bdi>
          </Link>
        </h3>
        <p class="facts">
          <span class={"pill " + room.status}>{t.rooms.status[room.status]}</span>
          {startsAt && (
            <span>
              {t.schedule.opensAt(when(startsAt))} ({t.schedule.inSpan(t.schedule.span(spanOf(Date.parse(startsAt) - serverNow())))})
            </span>
          )}
          {room.opened_at && <span>{stretch(room.opened_at, room.closed_at)}</span>}
          {!closed && <span>{t.rooms.seatsTaken(number(room.taken), number(room.capacity))}</span>}
        </p>
      </div>
      {closed && <Downloads room={room} />}
    </li>
  );
}

function OpenForm() {
  const { t } = useWords();
  /** One key for one intention: a double click opens one room. Who writes something else intends something else. */
  const key = useRef(randomKey());
  const renew = () => {
    key.current = randomKey();
  };
  const [later, setLater] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<LecternError | null>(null);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    setError(null);
    try {
      const opened = await api().open(asked(form), key.current);
      go("/teach/" + opened.room.id);
    } catch (refusal) {
      const refused = refusal as LecternError;
      setError(refused);
      if (refused.code !== "unavailable") renew();
    } finally {
      setBusy(false);
    }
  };
  return (
    <form class="card open-form" id="open-form" onInput={renew} onSubmit={(event) => void submit(event)}>
      <h2>{t.rooms.open}</h2>
      <label for="open-title">{t.rooms.roomTitle}</label>
      <input id="open-title" name="title" required maxLength={200} placeholder={t.rooms.titlePlaceholder} autocomplete="off" />
      <label for="open-seats">{t.rooms.seats}</label>
      <input id="open-seats" name="seats" type="number" inputMode="numeric" required min={1} max={100000} defaultValue="60" />
      <When onChange={setLater} later={later} />
      <details>
        <summary id="open-more">{t.rooms.more}</summary>
        <label class="check">
          <input type="checkbox" name="waitlist" id="open-waitlist" /> {t.rooms.waitlist}
        </label>
        <label class="check">
          <input type="checkbox" name="approval" id="open-approval" /> {t.rooms.approval}
        </label>
        <label class="check">
          <input type="checkbox" name="locked" id="open-locked" /> {t.rooms.locked}
        </label>
        <label class="check">
          <input type="checkbox" name="guests" id="open-guests" defaultChecked /> {t.rooms.guests}
        </label>
        <label class="check">
          <input type="checkbox" name="roster" id="open-roster" /> {t.rooms.rosterForAll}
        </label>
        <label for="open-minutes">{t.rooms.maxMinutes}</label>
        <input id="open-minutes" name="minutes" type="number" inputMode="numeric" required min={1} max={10080} defaultValue="720" />
      </details>
      <Trouble error={error} id="open-error" />
      {error?.code === "already_open" && error.body.room_id && (
        <Link href={"/teach/" + error.body.room_id} class="button wide" id="open-existing">
          {t.rooms.goThere}
        </Link>
      )}
      <button type="submit" class="primary wide" id="open-button" disabled={busy}>
        {later ? (busy ? t.schedule.submitting : t.schedule.submit) : busy ? t.rooms.submitting : t.rooms.submit}
      </button>
    </form>
  );
}

function asked(form: FormData) {
  const startsAt = form.get("starts_at");
  return {
    title: String(form.get("title")).trim(),
    capacity: Number(form.get("seats")),
    options: {
      waitlist: form.has("waitlist"),
      approval: form.has("approval"),
      starts_at: startsAt ? fieldTime(String(startsAt)) : null,
      locked: form.has("locked"),
      guests: form.has("guests"),
      roster: form.has("roster") ? ("everyone" as const) : ("instructor" as const),
      max_minutes: Number(form.get("minutes")),
    },
  };
}
