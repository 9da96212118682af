import { useEffect, useRef, useState } from "preact/hooks";
import type { LecternError, Room } from "../client";
import { Trouble } from "./parts";
import { useWords } from "./state";
import type { WatchedRoom } from "./watchroom";

export function Title({ watched, room }: { watched: WatchedRoom; room: Room }) {
  const { t } = useWords();
  const [editing, setEditing] = useState(false);
  if (!editing) {
    return (
      <div class="title-line">
        <h1 id="room-title" tabIndex={-1} dir="auto">
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
      from="edit-title"
      save={(title) => watched.ask("update", { title: title.trim() })}
      onDone={() => setEditing(false)}
    />
  );
}

/** A value that is edited where it stands: Enter keeps, Escape forgets. */
export function InPlace(props: {
  id: string;
  label: string;
  value: string;
  attributes: preact.InputHTMLAttributes;
  /** The id of what it is opened with, to which the focus goes back. */
  from: string;
  save(value: string): Promise<unknown>;
  onDone(): void;
}) {
  const { t } = useWords();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<LecternError | null>(null);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    input.current?.focus();
    input.current?.select();
    return () => {
      requestAnimationFrame(() => {
        if (document.activeElement === document.body) document.getElementById(props.from)?.focus();
      });
    };
  }, []);
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
