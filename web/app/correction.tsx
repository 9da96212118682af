import { useState } from "preact/hooks";
import { correct, LecternError } from "../client";
import type { AttendanceStatus, Person, Room } from "../client";
import { statuses } from "./attendees";
import { Dialog, Trouble } from "./parts";
import { api } from "./session";
import type { Moments } from "./span";
import { useWords } from "./state";
import { isolated } from "./text";

/** As long as the server takes. */
const longestReason = 200;

/** A status, marked where it was set by hand. */
export function Status({ person }: { person: Person }) {
  const { t } = useWords();
  if (!person.status) return <span class="pill">{t.record.noStatus}</span>;
  return (
    <>
      <span class={"pill " + person.status}>{t.record.statuses[person.status]}</span>
      {person.correction && (
        <span class="by-hand">
          <span aria-hidden="true">✎ </span>
          <span class="unseen">{t.record.correction.byHand}: </span>
          {person.correction.reason}
        </span>
      )}
    </>
  );
}

/** Who set a status by hand, when, and why. */
export function CorrectionNote({ person, room, moments }: { person: Person; room: Room; moments: Moments }) {
  const { t } = useWords();
  const { correction } = person;
  if (!correction) return null;
  const by = correction.by === room.instructor.user ? room.instructor.name : correction.by;
  return (
    <p class="correction-note" id="correction-note">
      {t.record.correction.note(t.record.statuses[correction.status], by, moments.second(correction.at), correction.reason)}
    </p>
  );
}

type Choice = AttendanceStatus | "policy";

interface Props {
  room: string;
  person: Person;
  onChange(): Promise<void>;
  onClose(): void;
}

/** Sets someone's status by hand, or leaves it to the policy again. */
export function CorrectionEditor({ room, person, onChange, onClose }: Props) {
  const { t } = useWords();
  const words = t.record.correction;
  const [choice, setChoice] = useState<Choice | null>(person.correction?.status ?? person.status);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<LecternError | null>(null);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const reason = String(new FormData(event.currentTarget as HTMLFormElement).get("reason")).trim();
    setError(null);
    setBusy(true);
    try {
      if (!choice) throw new LecternError({ code: "bad_request", message: "a status", field: "status" });
      if (!reason) throw new LecternError({ code: "bad_request", message: "a reason", field: "reason" });
      await correct(api(), room, person.user, choice === "policy" ? null : choice, reason);
      await onChange();
      onClose();
    } catch (refusal) {
      setError(refusal as LecternError);
      setBusy(false);
    }
  };
  const field = error?.body.field;
  const choices: Choice[] = person.correction ? [...statuses, "policy"] : statuses;
  return (
    <Dialog id="correction-dialog" title={words.title(isolated(person.name))} onClose={onClose}>
      <form noValidate onSubmit={(event) => void submit(event)}>
        <fieldset class="statuses">
          <legend class="unseen">{t.record.columns.status}</legend>
          {choices.map((one) => (
            <label key={one}>
              <input
                type="radio"
                name="status"
                id={"status-" + one}
                checked={choice === one}
                autofocus={choice === one}
                onChange={() => setChoice(one)}
              />
              <span>{one === "policy" ? words.asPolicy : t.record.statuses[one]}</span>
            </label>
          ))}
        </fieldset>
        <p class="hint" role="alert">
          {field === "status" && words.noStatus}
        </p>
        <label for="reason">{words.reason}</label>
        <input
          id="reason"
          name="reason"
          required
          maxLength={longestReason}
          autocomplete="off"
          placeholder={words.placeholder}
          defaultValue={person.correction?.reason ?? ""}
          aria-invalid={field === "reason"}
          aria-describedby="reason-wrong"
        />
        <p class="hint" id="reason-wrong" role="alert">
          {field === "reason" && words.noReason}
        </p>
        <Trouble error={field === "reason" || field === "status" ? null : error} id="correction-error" />
        <div class="actions">
          <button type="button" class="quiet" onClick={onClose}>
            {t.cancel}
          </button>
          <button type="submit" class="primary" id="save-correction" disabled={busy}>
            {t.save}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
