import { useState } from "preact/hooks";
import { LecternError, setPolicy } from "../client";
import type { Policy } from "../client";
import type { Summary } from "./attendees";
import { Dialog, Trouble } from "./parts";
import { api } from "./session";
import { useWords } from "./state";
import type { Text } from "./text";

const rules = ["present_percent", "present_minutes", "late_after_minutes", "left_early_minutes"] as const;
type Rule = (typeof rules)[number];

const none: Policy = { present_percent: null, present_minutes: null, late_after_minutes: null, left_early_minutes: null };
/** What many a course does. */
const suggested: Policy = { ...none, present_percent: 80, late_after_minutes: 10 };

/** A policy as people say it. */
export function sentences(policy: Policy, t: Text): string[] {
  const words = t.record.policy;
  const { present_percent: percent, present_minutes: minutes, late_after_minutes: late, left_early_minutes: early } = policy;
  const present = [percent !== null && words.percent(percent), minutes !== null && words.minutes(minutes)].filter((part) => part !== false);
  return [
    present.length > 0 && words.present(present.join(words.or)),
    late !== null && words.late(late),
    early !== null && words.early(early),
  ].filter((sentence) => sentence !== false);
}

interface CardProps {
  room: string;
  policy: Policy | null;
  /** What the policy makes of the people. */
  counts: Summary["counts"];
  onChange(): Promise<void>;
}

/** The room's rules, and the way to change them. */
export function PolicyCard({ room, policy, counts, onChange }: CardProps) {
  const { t, number } = useWords();
  const [editing, setEditing] = useState(false);
  const [changed, setChanged] = useState(false);
  const change = async () => {
    await onChange();
    setChanged(true);
  };
  return (
    <section class="card policy-card" aria-labelledby="policy-label">
      <div>
        <h2 id="policy-label">{t.record.policy.title}</h2>
        {policy ? (
          <ul id="policy" class="policy">
            {sentences(policy, t).map((sentence) => (
              <li key={sentence}>{sentence}</li>
            ))}
          </ul>
        ) : (
          <p id="no-policy">{t.record.policy.none}</p>
        )}
      </div>
      <button class={policy ? "quiet" : "primary"} id="edit-policy" onClick={() => setEditing(true)}>
        {policy ? t.record.policy.change : t.record.policy.set}
      </button>
      <p class="unseen" role="status">
        {changed && counts.map(({ status, people }) => `${t.record.statuses[status]} ${number(people)}`).join(", ")}
      </p>
      {editing && <PolicyEditor room={room} policy={policy} onChange={change} onClose={() => setEditing(false)} />}
    </section>
  );
}

/** What was typed for a rule: nothing is no rule. */
function typed(form: FormData, rule: Rule): number | null {
  const text = String(form.get(rule) ?? "").trim();
  if (text === "") return null;
  if (!/^\d{1,6}$/.test(text)) throw new LecternError({ code: "bad_request", message: "a whole number", field: rule });
  return Number(text);
}

interface EditorProps {
  room: string;
  policy: Policy | null;
  onChange(): Promise<void>;
  onClose(): void;
}

function PolicyEditor({ room, policy, onChange, onClose }: EditorProps) {
  const { t } = useWords();
  const words = t.record.policy;
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<LecternError | null>(null);
  const begin = policy ?? suggested;
  const keep = async (read: () => Policy) => {
    setBusy(true);
    setError(null);
    try {
      await setPolicy(api(), room, read());
      await onChange();
      onClose();
    } catch (refusal) {
      setError(refusal as LecternError);
      setBusy(false);
    }
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    void keep(() => Object.fromEntries(rules.map((rule) => [rule, typed(form, rule)])) as unknown as Policy);
  };
  const wrong = rules.find((rule) => rule === error?.body.field);
  return (
    <Dialog id="policy-dialog" title={words.title} onClose={onClose}>
      <p>{words.lead}</p>
      <form noValidate onSubmit={submit}>
        {rules.map((rule) => (
          <RuleField key={rule} rule={rule} value={begin[rule]} wrong={rule === wrong} />
        ))}
        <Trouble error={wrong ? null : error} id="policy-error" />
        <div class="actions">
          {policy && (
            <button type="button" class="danger" id="remove-policy" disabled={busy} onClick={() => void keep(() => none)}>
              {words.remove}
            </button>
          )}
          <button type="button" class="quiet" onClick={onClose}>
            {t.cancel}
          </button>
          <button type="submit" class="primary" id="save-policy" disabled={busy}>
            {t.save}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function RuleField({ rule, value, wrong }: { rule: Rule; value: number | null; wrong: boolean }) {
  const { t } = useWords();
  const { label, unit, wrong: what } = t.record.policy.rules[rule];
  return (
    <div class="rule">
      <label for={rule}>{label}</label>
      <input
        id={rule}
        name={rule}
        inputMode="numeric"
        autocomplete="off"
        maxLength={6}
        defaultValue={value === null ? "" : String(value)}
        aria-invalid={wrong}
        aria-describedby={`${rule}-unit ${rule}-wrong`}
      />
      <span id={rule + "-unit"}>{unit}</span>
      <p class="hint" id={rule + "-wrong"} role="alert">
        {wrong && what}
      </p>
    </div>
  );
}
