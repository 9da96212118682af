import { useEffect, useRef } from "preact/hooks";
import type { Counts, Lectern, Room } from "../client";
import { clockOf, spanOf } from "./clock";
import { Fill } from "./parts";
import { QrCode } from "./qr";
import { joinLink, showCode } from "./session";
import { keyName } from "./shortcuts";
import { useCountdown, useWords } from "./state";

/** What the back row reads: the code, the way in, and how full it is. */
export function Projector({ lectern, room, counts, onClose }: { lectern: Lectern; room: Room; counts: Counts; onClose(): void }) {
  const { t } = useWords();
  const box = useRef<HTMLDivElement>(null);
  const link = joinLink(room.code ?? "");
  useFullScreen(box, onClose);
  return (
    <div ref={box} class="projector" id="projector" role="dialog" aria-modal="true" aria-label={t.desk.project} tabIndex={-1}>
      <div class="projector-head">
        <h1 dir="auto">{room.title}</h1>
        <button class="plain" id="leave-projector" onClick={onClose}>
          {t.desk.leaveProject} <kbd>Esc</kbd>
        </button>
      </div>
      <div class="projector-main">
        <div>
          <p class="eyebrow">
            {t.desk.joinAt} <strong>{new URL(link).host}</strong>
          </p>
          <p class="code-shown" id="projector-code">
            <span>{(room.code ?? "").slice(0, 4)}</span>
            <span>{(room.code ?? "").slice(4)}</span>
            <span class="unseen">{showCode(room.code ?? "")}</span>
          </p>
        </div>
        <figure>
          <QrCode text={link} label={t.desk.scan} />
          <figcaption>{t.desk.scan}</figcaption>
        </figure>
      </div>
      {room.status === "scheduled" ? <StartsIn lectern={lectern} room={room} /> : <HowFull room={room} counts={counts} />}
    </div>
  );
}

function HowFull({ room, counts }: { room: Room; counts: Counts }) {
  const { t, number } = useWords();
  const free = Math.max(0, room.capacity - counts.taken);
  return (
    <div class="projector-foot">
      <p class="projector-count">
        <strong id="projector-taken">{number(counts.taken)}</strong> {t.desk.ofSeats(number(room.capacity))}
      </p>
      <p>{free === 0 && counts.waiting > 0 ? t.line.waitingCount(number(counts.waiting)) : t.desk.free(number(free))}</p>
      <Fill taken={counts.taken} capacity={room.capacity} label={t.seat.taken(number(counts.taken), number(room.capacity))} />
    </div>
  );
}

function StartsIn({ lectern, room }: { lectern: Lectern; room: Room }) {
  const { t, when } = useWords();
  const startsAt = room.options.starts_at ?? new Date().toISOString();
  const seconds = useCountdown(lectern.localTime(startsAt));
  return (
    <div class="projector-foot">
      <p class="projector-count">{t.schedule.early(when(startsAt))}</p>
      <p>
        <strong>{seconds < 3600 ? clockOf(seconds) : t.schedule.span(spanOf(seconds * 1000))}</strong>
      </p>
    </div>
  );
}

/** Fills the screen where the browser allows it, and the page where not. Leaving full screen closes. */
function useFullScreen(box: { current: HTMLElement | null }, onClose: () => void): void {
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    const others = [...box.current!.parentElement!.children].filter((one) => one !== box.current) as HTMLElement[];
    for (const one of others) one.inert = true;
    box.current?.focus();
    box.current?.requestFullscreen?.().catch(() => undefined);
    const left = () => {
      if (!document.fullscreenElement) onClose();
    };
    const press = (event: KeyboardEvent) => {
      if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
      if (["Escape", "f"].includes(keyName(event))) onClose();
    };
    document.addEventListener("fullscreenchange", left);
    addEventListener("keydown", press);
    return () => {
      document.removeEventListener("fullscreenchange", left);
      removeEventListener("keydown", press);
      if (document.fullscreenElement) void document.exitFullscreen();
      for (const one of others) one.inert = false;
      before?.focus();
    };
  }, []);
}
