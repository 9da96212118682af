import { useEffect, useMemo, useState } from "preact/hooks";
import type { LecternError, Room } from "../client";
import { Chart } from "./chart";
import { Downloads } from "./downloads";
import { ConnectionNote, Dialog, Fill, Link, Notice, Trouble, Waiting } from "./parts";
import { Projector } from "./projector";
import { QrCode } from "./qr";
import { Record } from "./record";
import { RosterPanel } from "./rosterpanel";
import { joinLink, showCode } from "./session";
import { CodeRenewal, Settings, Title } from "./settings";
import { useChanges, useTitle, useWords } from "./state";
import { WatchedRoom } from "./watchroom";

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
  useTitle(room?.title ?? t.rooms.pageTitle);
  if (connection?.name === "stopped" && room?.status !== "closed") {
    return (
      <main id="main" class="narrow">
        <Notice advice={connection.why === "passport" ? t.expired : t.desk.stopped} id="stopped" />
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
  if (room.status === "closed" || watched.roster.state === "closed") return <Record room={room} />;
  return <OpenDesk watched={watched} room={room} />;
}

function OpenDesk({ watched, room }: { watched: WatchedRoom; room: Room }) {
  const { t, time } = useWords();
  const [projecting, setProjecting] = useState(false);
  const [helping, setHelping] = useState(false);
  const [error, setError] = useState<LecternError | null>(null);
  const code = room.code ?? "";
  useShortcuts({
    f: () => setProjecting(true),
    l: () => void watched.ask("update", { options: { locked: !room.options.locked } }).catch(setError),
    c: () => document.getElementById("copy-link")?.click(),
    "/": () => document.getElementById("roster-search")?.focus(),
    "?": () => setHelping(true),
  });
  return (
    <>
      <main id="main" class="desk" inert={projecting} data-room={room.id}>
        <header class="desk-head">
          <div>
            <p class="eyebrow">
              <Link href="/teach">{t.desk.back}</Link>
            </p>
            <Title watched={watched} room={room} />
            <p class="facts">
              {room.opened_at && <span>{t.desk.openedAt(time(room.opened_at))}</span>}
              {room.closes_at && <span>{t.desk.closesAt(time(room.closes_at))}</span>}
            </p>
          </div>
          <div class="desk-tools">
            <ConnectionNote connection={watched.lectern.connection} />
            <button class="plain" id="help" onClick={() => setHelping(true)} aria-label={t.desk.shortcuts} title={t.desk.shortcuts}>
              <kbd>?</kbd>
            </button>
          </div>
        </header>
        <Trouble error={error} id="desk-error" />
        <div class="desk-columns">
          <div class="desk-side">
            <CodeCard watched={watched} code={code} onProject={() => setProjecting(true)} />
            <SeatsCard watched={watched} room={room} />
            <Settings watched={watched} room={room} onError={setError} />
          </div>
          <RosterPanel watched={watched} room={room} />
        </div>
      </main>
      {projecting && <Projector room={room} counts={watched.roster.counts} onClose={() => setProjecting(false)} />}
      {helping && <Help onClose={() => setHelping(false)} />}
    </>
  );
}

/** Browsers keep the clipboard from pages without https. */
const canCopy = "clipboard" in navigator;

function CodeCard({ watched, code, onProject }: { watched: WatchedRoom; code: string; onProject(): void }) {
  const { t } = useWords();
  const [copied, setCopied] = useState(false);
  const link = joinLink(code);
  const copy = () => {
    void navigator.clipboard.writeText(link).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 2_000);
    });
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
      </div>
      <QrCode text={link} label={t.desk.scan} />
    </section>
  );
}

function SeatsCard({ watched, room }: { watched: WatchedRoom; room: Room }) {
  const { t, number } = useWords();
  const { counts } = watched.roster;
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
      <Chart points={watched.points} capacity={room.capacity} />
      <Downloads room={room} />
    </section>
  );
}

function Help({ onClose }: { onClose(): void }) {
  const { t } = useWords();
  const keys: [string, string][] = [
    ["F", t.desk.keys.project],
    ["/", t.desk.keys.search],
    ["L", t.desk.keys.lock],
    ["C", t.desk.keys.copy],
    ["↑ ↓", t.desk.keys.arrows],
    ["Delete", t.desk.keys.remove],
    ["?", t.desk.keys.help],
  ];
  return (
    <Dialog id="help-dialog" title={t.desk.shortcuts} onClose={onClose}>
      <dl class="keys">
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <div class="actions">
        <button class="primary" onClick={onClose}>
          {t.close}
        </button>
      </div>
    </Dialog>
  );
}

/** Single keys, for as long as nothing is being typed and no dialog is open. */
function useShortcuts(keys: { [key: string]: () => void }): void {
  const latest = useMemo(() => ({ keys }), []);
  latest.keys = keys;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      const typing = target.matches("input:not([type=checkbox]), textarea, select");
      if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open], .projector")) return;
      const act = latest.keys[event.key.toLowerCase()];
      if (!act) return;
      event.preventDefault();
      act();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [latest]);
}
