import { useEffect, useRef, useState } from "preact/hooks";
import type { Me } from "../client";
import { Link } from "./parts";
import { cleanCode, showCode } from "./session";
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
      {me && <Places me={me} />}
      <p class="aside">{t.join.instructors}</p>
    </main>
  );
}

function CodeForm() {
  const { t } = useWords();
  const [code, setCode] = useState("");
  const [short, setShort] = useState(false);
  const submit = (event: Event) => {
    event.preventDefault();
    if (code.length === 8) go("/j/" + code);
    else setShort(true);
  };
  const change = (clean: string) => {
    setCode(clean);
    setShort(false);
  };
  return (
    <form onSubmit={submit} noValidate>
      <label for="code-input">{t.join.code}</label>
      <CodeInput code={code} onChange={change} invalid={short} />
      <p class="hint" id="code-hint" role={short ? "alert" : undefined}>
        {short ? t.join.shortCode : t.join.codeHint}
      </p>
      <button type="submit" class="primary wide" id="code-submit">
        {t.join.next}
      </button>
    </form>
  );
}

/** Shows what is typed as XXXX-XXXX and keeps the caret behind the character that was typed. */
function CodeInput(props: { code: string; onChange(code: string): void; invalid: boolean }) {
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
    element.value = showCode(clean);
    props.onChange(clean);
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

function Places({ me }: { me: Me }) {
  const { t } = useWords();
  const place = me.places.find((place) => place.seat !== null) ?? me.places[0];
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
