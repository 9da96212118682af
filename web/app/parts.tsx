import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Connection, LecternError } from "../client";
import { go, useCountdown, useWords } from "./state";
import type { Advice } from "./text";

export function Link(props: { href: string; class?: string; id?: string; children: ComponentChildren }) {
  const follow = (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    go(props.href);
  };
  return (
    <a href={props.href} class={props.class} id={props.id} onClick={follow}>
      {props.children}
    </a>
  );
}

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
      <path d="M4 8.5 20 5v3.4L4 11.9z" />
      <path d="M10.6 11.9h2.8V19h4.1v2.2h-11V19h4.1z" />
    </svg>
  );
}

/** What is known of the connection, told as it is; one that was lost is so until it is there again, however often it is tried. */
export function ConnectionNote({ connection }: { connection: Connection }) {
  const { t } = useWords();
  const lost = useRef(false);
  lost.current = connection.name === "reconnecting" || (lost.current && connection.name === "connecting");
  const name = lost.current ? "reconnecting" : connection.name;
  const seconds = useCountdown(connection.name === "reconnecting" ? connection.at : null);
  const say = (left: number) => (name === "reconnecting" ? t.connection.reconnecting(left) : t.connection[name]);
  return (
    <div class={"connection " + name} id="connection" data-state={name}>
      <span class="dot" aria-hidden="true" />
      <span aria-hidden="true">{say(seconds)}</span>
      <span class="unseen" role="status">
        {say(0)}
      </span>
    </div>
  );
}

/** One thing to know and what to do about it. */
export function Notice(props: { advice: Advice; id?: string; children?: ComponentChildren }) {
  const heading = useHeading();
  return (
    <section class="notice" id={props.id}>
      <h1 ref={heading} tabIndex={-1}>
        {props.advice.title}
      </h1>
      <p>{props.advice.next}</p>
      {props.children && <div class="actions">{props.children}</div>}
    </section>
  );
}

/** A heading that takes the focus when it appears: what was there before is gone. */
export function useHeading() {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return heading;
}

/** What is wrong, beside what it is wrong with. */
export function Trouble({ error, id = "error", say }: { error: LecternError | null; id?: string; say?: Advice | null }) {
  const usual = useAdvice(error);
  const advice = error && (say ?? usual);
  return (
    <div class="trouble" id={id} role="alert" data-code={error?.code}>
      {advice && (
        <>
          <strong>{advice.title}</strong> {advice.next}
        </>
      )}
    </div>
  );
}

export function useAdvice(error: LecternError | null): Advice | null {
  const { t, when } = useWords();
  if (!error) return null;
  const { code, body } = error;
  if (code === "forbidden" && body.field === "guests") return t.noGuestsHere;
  if (code === "forbidden" && body.field === "role") return t.notStudent;
  if (code === "conflict" && body.field === "starts_at") return t.schedule.hasStarted;
  const advice = t.errors[code] ?? t.errors.internal;
  if (code === "not_started" && body.starts_at) {
    return { ...advice, next: t.schedule.early(when(body.starts_at)) };
  }
  return body.incident ? { ...advice, next: `${advice.next} (${body.incident})` } : advice;
}

/** A dialog over the page. It keeps the focus, and gives it back to where it was. */
export function Dialog(props: { title: string; id: string; onClose(): void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement as HTMLElement | null;
    element?.showModal();
    return () => {
      element?.close();
      requestAnimationFrame(() => before?.focus());
    };
  }, []);
  return (
    <dialog ref={dialog} id={props.id} aria-labelledby={props.id + "-title"} onCancel={props.onClose}>
      <h2 id={props.id + "-title"}>{props.title}</h2>
      {props.children}
    </dialog>
  );
}

/** The way out of a dialog for those who have no keys. */
export function Close({ onClose }: { onClose(): void }) {
  const { t } = useWords();
  return (
    <button class="plain small close" id="close-person" aria-label={t.close} title={t.close} onClick={onClose}>
      ✕
    </button>
  );
}

export function Confirm(props: {
  id: string;
  title: string;
  text: string;
  yes: string;
  onYes(): void;
  onClose(): void;
  children?: ComponentChildren;
}) {
  const { t } = useWords();
  return (
    <Dialog id={props.id} title={props.title} onClose={props.onClose}>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          props.onYes();
        }}
      >
        <p>{props.text}</p>
        {props.children}
        <div class="actions">
          <button type="button" class="quiet" id={props.id + "-no"} onClick={props.onClose}>
            {t.cancel}
          </button>
          <button type="submit" class="danger" id={props.id + "-yes"}>
            {props.yes}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function Fill({ taken, capacity, label }: { taken: number; capacity: number; label: string }) {
  return (
    <progress class="fill" max={capacity} value={Math.min(taken, capacity)} aria-label={label}>
      {label}
    </progress>
  );
}

/** In place of a part of the app that is not there yet, or did not come. Some browsers ask for one but once: only a page that is loaded anew does again. */
export function Coming({ failed }: { failed?: boolean }) {
  const { t } = useWords();
  if (!failed) return <Waiting text={t.loading} />;
  return (
    <Notice advice={t.notLoaded} id="not-loaded">
      <Reload />
    </Notice>
  );
}

export function Reload() {
  const { t } = useWords();
  return (
    <button class="primary" onClick={() => location.reload()}>
      {t.tryAgain}
    </button>
  );
}

export function Waiting({ text }: { text: string }) {
  return (
    <p class="waiting" role="status">
      <span class="pulse" aria-hidden="true" /> {text}
    </p>
  );
}
