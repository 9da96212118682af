import { useEffect, useRef, useState } from "preact/hooks";
import type { Me } from "../client";
import { Link } from "./parts";
import { askWho, cleanCode, keptPlace, showCode } from "./session";
import { go, useTitle, useWords } from "./state";

/** Where a student types the code. */
export function Home({ me }: { me: Me | null }) {
  const { t } = useWords();
  useTitle(t.join.pageTitle);
  return (
    <main id="main" class="narrow">
      <h1 tabIndex={-1}>{t.join.title}</h1>
      <p class="lead">{t.join.lead}</p>
      <CodeForm />
      {me && <Places known={me.places} />}
      <p class="aside">{t.join.instructors}</p>
    </main>
  );
}

/** What is typed while the keyboard is set to another alphabet. */
const otherAlphabet = /[^\x00-\x7f]/;

function CodeForm() {
  const { t } = useWords();
  const [code, setCode] = useState("");
  const [wrong, setWrong] = useState<"shortCode" | "latinCode" | null>(null);
  const submit = (event: Event) => {
    event.preventDefault();
    if (code.length === 8) go("/j/" + code);
    else setWrong("shortCode");
  };
  const change = (clean: string, typed: string) => {
    setCode(clean);
    setWrong(clean === code && otherAlphabet.test(typed) ? "latinCode" : null);
  };
  return (
    <form onSubmit={submit} noValidate>
      <label for="code-input">{t.join.code}</label>
      <CodeInput code={code} onChange={change} invalid={wrong !== null} />
      <p class="hint" id="code-hint" role={wrong ? "alert" : undefined}>
        {t.join[wrong ?? "codeHint"]}
      </p>
      <button type="submit" class="primary wide" id="code-submit">
        {t.join.next}
      </button>
    </form>
  );
}

/** Shows what is typed as XXXX-XXXX and keeps the caret behind the character that was typed. */
function CodeInput(props: { code: string; onChange(code: string, typed: string): void; invalid: boolean }) {
  const input = useRef<HTMLInputElement>(null);
  const caret = useRef<number | null>(null);
  useEffect(() => {
    if (caret.current !== null) input.current?.setSelectionRange(caret.current, caret.current);
    caret.current = null;
  });
  const typed = (element: HTMLInputElement) => {
    const clean = cleanCode(element.value);
    const before = cleanCode(element.value.slice(0, element.selectionStart ?? 0)).length;
    caret.current = before > 4 ? before + 1 : before;
    props.onChange(clean, element.value);
    element.value = showCode(clean);
  };
  return (
    <input
      ref={input}
      id="code-input"
      class="code"
      value={showCode(props.code)}
      onInput={(event) => typed(event.currentTarget)}
      placeholder="XXXX-XXXX"
      autocomplete="off"
      autocapitalize="characters"
      spellcheck={false}
      enterkeyhint="go"
      autofocus
      aria-describedby="code-hint"
      aria-invalid={props.invalid}
    />
  );
}

/** Asked for anew each time: since the page was loaded, a seat may have been taken, or given up elsewhere than in this tab. */
function Places({ known }: { known: Me["places"] }) {
  const { t } = useWords();
  const [places, setPlaces] = useState(() => known.filter(({ room_id }) => keptPlace(room_id)?.place !== null));
  useEffect(() => void askWho().then((me) => setPlaces(me.places), () => undefined), []);
  const place = places.find((place) => place.seat !== null) ?? places[0];
  if (!place) return null;
  const seated = place.seat !== null;
  return (
    <p class="card row" id="kept-place">
      <span>{seated ? t.join.haveSeat(place.seat!) : t.join.havePlace}</span>
      <Link href={"/room/" + place.room_id} class="button">
        {seated ? t.join.backToSeat : t.join.backToPlace}
      </Link>
    </p>
  );
}
