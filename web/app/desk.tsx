import { useEffect, useMemo, useState } from "preact/hooks";
import type { Connection, LecternError, Room } from "../client";
import { Chart } from "./chart";
import { Downloads } from "./downloads";
import { Title } from "./inplace";
import { LinePanel, useLine } from "./line";
import { Coming, ConnectionNote, Fill, Link, Notice, Reload, Trouble, Waiting } from "./parts";
import { Projector } from "./projector";
import { QrCode } from "./qr";
import { firstLook, RosterPanel } from "./rosterpanel";
import { ClosingSoon, StartCard } from "./schedule";
import { joinLink, showCode } from "./session";
import { CodeRenewal, Settings } from "./settings";
import { Help, useShortcuts } from "./shortcuts";
import { useChanges, useLoaded, useTitle, useWords } from "./state";
import { WatchedRoom } from "./watchroom";

const loadRecord = () => import("./record");

/** The instructor's desk in one room. */
export function Desk({ id }: { id: string }) {
  const { t } = useWords();
  const [watched, setWatched] = useState<WatchedRoom | null>(null);
  useChanges(watched?.subscribe);
  useEffect(() => {
    const room = new WatchedRoom(id);
    setWatched(room);
    return () => room.end();
  }, [id]);

  const room = watched?.roster.room;
  const connection = watched?.lectern.connection;
  const pending = room?.status === "open" ? watched!.roster.counts.pending : 0;
  useTitle((pending > 0 ? `(${pending}) ` : "") + (room?.title ?? t.rooms.pageTitle));
  if (connection?.name === "stopped" && room?.status !== "closed") {
    const { why } = connection;
    return (
      <main id="main" class="narrow">
        <Notice advice={why === "passport" ? t.expired : why === "asked" ? t.desk.stopped : t.over[why]} id="stopped">
          {why !== "passport" && <Reload />}
        </Notice>
      </main>
    );
  }
  if (watched?.roster.state === "refused") {
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
  if (!watched || !room) {
    return (
      <main id="main" class="narrow">
        {connection && <ConnectionNote connection={connection} />}
        <Waiting text={t.loading} />
      </main>
    );
  }
  if (room.status === "closed" || watched.roster.state === "closed") return <Closed room={room} />;
  return <OpenDesk watched={watched} room={room} />;
}

function Closed({ room }: { room: Room }) {
  const page = useLoaded(loadRecord);
  return page ? (
    <page.Record id={room.id} room={room} />
  ) : (
    <main id="main" class="narrow">
      <Coming failed={page === false} />
    </main>
  );
}

function OpenDesk({ watched, room }: { watched: WatchedRoom; room: Room }) {
  const [projecting, setProjecting] = useState(false);
  const [helping, setHelping] = useState(false);
  const [look, setLook] = useState(firstLook);
  const [error, setError] = useState<LecternError | null>(null);
  const line = useLine(watched);
  const code = room.code ?? "";
  const scheduled = room.status === "scheduled";
  const start = () => {
    setError(null);
    if (scheduled) watched.ask("start", {}).catch(setError);
  };
  useShortcuts({
    a: () => line.admit(line.pending[0]),
    "shift+a": line.admitAll,
    s: start,
    f: () => setProjecting(true),
    l: () => void watched.ask("update", { options: { locked: !room.options.locked } }).catch(setError),
    c: () => document.getElementById("copy-link")?.click(),
    "/": () => document.getElementById("roster-search")?.focus(),
    "?": () => setHelping(true),
  });
  // People come and go many times a second; what does not tell of them stays as it was drawn.
  const { connection } = watched.lectern;
  const { pending } = watched.roster.counts;
  const today = new Date().getDate();
  const head = useMemo(
    () => <Head watched={watched} room={room} connection={connection} onHelp={() => setHelping(true)} />,
    [watched, room, connection, today],
  );
  const closing = useMemo(() => <ClosingSoon watched={watched} room={room} />, [watched, room, connection]);
  const card = useMemo(() => <CodeCard watched={watched} code={code} onProject={() => setProjecting(true)} />, [watched, code]);
  const settings = useMemo(() => <Settings watched={watched} room={room} onError={setError} />, [watched, room, watched.bans, pending, today]);
  return (
    <>
      <main id="main" class="desk" data-room={room.id}>
        {head}
        <Opened scheduled={scheduled} />
        {closing}
        {!scheduled && <Trouble error={error} id="desk-error" />}
        <div class="desk-columns">
          <div class="desk-side">
            {card}
            {scheduled ? <StartCard watched={watched} room={room} onStart={start} error={error} /> : <SeatsCard watched={watched} room={room} />}
          </div>
          <div class="desk-people">
            {watched.roster.state !== "loading" && <LinePanel line={line} room={room} query={look.query} />}
            <RosterPanel watched={watched} room={room} look={look} onLook={setLook} />
          </div>
          {settings}
        </div>
      </main>
      {projecting && <Projector lectern={watched.lectern} room={room} counts={watched.roster.counts} onClose={() => setProjecting(false)} />}
      {helping && <Help onClose={() => setHelping(false)} />}
    </>
  );
}

function Head({ watched, room, connection, onHelp }: { watched: WatchedRoom; room: Room; connection: Connection; onHelp(): void }) {
  const { t, moment } = useWords();
  return (
    <header class="desk-head">
      <div>
        <p class="eyebrow">
          <Link href="/teach">{t.desk.back}</Link>
        </p>
        <Title watched={watched} room={room} />
        <p class="facts">
          {room.status === "scheduled" && <span class="pill scheduled">{t.rooms.status.scheduled}</span>}
          {room.opened_at && <span>{t.desk.openedAt(moment(room.opened_at))}</span>}
          {room.closes_at && <span>{t.desk.closesAt(moment(room.closes_at))}</span>}
        </p>
      </div>
      <div class="desk-tools">
        <ConnectionNote connection={connection} />
        <button class="plain" id="help" onClick={onHelp} aria-label={t.desk.shortcuts} title={t.desk.shortcuts}>
          <kbd>?</kbd>
        </button>
      </div>
    </header>
  );
}

/** Tells that the room opened while it was looked at. */
function Opened({ scheduled }: { scheduled: boolean }) {
  const { t } = useWords();
  const [was] = useState(scheduled);
  return (
    <p class="unseen" role="status" id="opened">
      {was && !scheduled && t.schedule.started}
    </p>
  );
}

/** Browsers keep the clipboard from pages without https. */
const canCopy = "clipboard" in navigator;

/** To be copied by hand, where the browser refuses to. */
const selected = (input: HTMLInputElement | null) => input?.select();

function CodeCard({ watched, code, onProject }: { watched: WatchedRoom; code: string; onProject(): void }) {
  const { t } = useWords();
  const [copied, setCopied] = useState(false);
  const [refused, setRefused] = useState(false);
  const link = joinLink(code);
  const copy = () => {
    const done = () => {
      setCopied(true);
      setTimeout(() => setCopied(false), 2_000);
    };
    navigator.clipboard.writeText(link).then(done, () => setRefused(true));
  };
  return (
    <section class="card code-card" aria-labelledby="code-label">
      <div class="code-words">
        <h2 class="eyebrow" id="code-label">
          {t.desk.code}
        </h2>
        <p class="code-shown" id="code" data-code={code}>
          {showCode(code)}
        </p>
        <div class="actions">
          <button class="primary" id="project" onClick={onProject}>
            {t.desk.project} <kbd>F</kbd>
          </button>
          {canCopy && (
            <button class="quiet" id="copy-link" data-link={link} onClick={copy}>
              <span aria-live="polite">{copied ? t.copied : t.copy}</span>
            </button>
          )}
          <CodeRenewal watched={watched} />
        </div>
        {refused && <input ref={selected} id="link" readOnly value={link} aria-label={t.copy} />}
      </div>
      <QrCode text={link} label={t.desk.scan} />
    </section>
  );
}

function SeatsCard({ watched, room }: { watched: WatchedRoom; room: Room }) {
  const { t, number } = useWords();
  const { counts } = watched.roster;
  const { points } = watched;
  const chart = useMemo(() => <Chart points={points} capacity={room.capacity} />, [points, room.capacity]);
  const downloads = useMemo(() => <Downloads room={room} linked />, [room]);
  return (
    <section class="card seats-card">
      <div class="figures" aria-live="off">
        <p>
          <strong id="taken" data-taken={counts.taken}>
            {number(counts.taken)}
          </strong>{" "}
          {t.desk.ofSeats(number(room.capacity))}
        </p>
        <p class="online-figure">
          <strong id="online" data-online={counts.online_count}>
            {number(counts.online_count)}
          </strong>{" "}
          {t.desk.online}
        </p>
      </div>
      <Fill taken={counts.taken} capacity={room.capacity} label={t.seat.taken(number(counts.taken), number(room.capacity))} />
      {chart}
      {downloads}
    </section>
  );
}
