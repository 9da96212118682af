import { useEffect, useRef, useState } from "preact/hooks";
import type { LecternError, Me } from "../client";
import { Early } from "./early";
import { Link, Notice, Trouble, Waiting } from "./parts";
import { SeatView } from "./seat";
import { api, forgetPassport, guestsAllowed, keepName, keptPlace, lastName, passport, showCode, waitsFor } from "./session";
import { go, useChanges, useCountdown, useTitle, useWords } from "./state";
import { isolated } from "./text";
import { Visit } from "./visit";
import type { Ending } from "./visit";

export type StudentRoute = { page: "join"; code: string } | { page: "room"; id: string };

interface Props {
  route: StudentRoute;
  me: Me | null;
  /** Asks anew who is signed in. */
  onSignIn(): Promise<void>;
}

/** A student's way from the link to the seat and out again. */
export function Student({ route, me, onSignIn }: Props) {
  const { t } = useWords();
  const [visit, setVisit] = useState<Visit | null>(null);
  const current = useRef<Visit | null>(null);
  const gone = useRef(false);
  /** A quick hand may join before the first effect. */
  const mounted = useRef(false);
  useChanges(visit?.subscribe);
  const inside = visit?.state.step === "in" || visit?.state.step === "early";
  useTitle(inside ? null : t.join.pageTitle);

  const begin = (target: { code: string } | { room_id: string }) => {
    if (gone.current) return; // nobody would end the visit
    current.current?.end();
    setVisit((current.current = new Visit(target)));
  };
  useEffect(
    () => () => {
      gone.current = true;
      current.current?.end();
    },
    [],
  );
  useEffect(() => {
    const state = current.current?.state;
    const here = state?.step === "in" && route.page === "room" && state.room.id === route.id;
    if (route.page === "room" && mayBeIn(route.id, me) && !here) begin({ room_id: route.id });
    if (route.page === "join" && state && mounted.current) {
      current.current?.end();
      setVisit((current.current = null));
    } else if (route.page === "join" && !state && me?.role !== "instructor" && waitsFor(route.code)) {
      begin({ code: route.code });
    }
    mounted.current = true;
  }, [route.page, route.page === "room" ? route.id : route.code]);
  useEffect(() => {
    if (visit?.state.step === "in" && route.page === "join") go("/room/" + visit.state.room.id, true);
  }, [visit?.state]);

  if (me?.role === "instructor") return <Teaching onSignIn={onSignIn} />;
  if (visit?.state.step === "in") return <SeatView visit={visit} state={visit.state} />;
  if (visit?.state.step === "early") return <Early visit={visit} startsAt={visit.state.startsAt} />;
  if (visit?.state.step === "over") {
    const { ending, kept } = visit.state;
    const back = visit.code ? { code: visit.code } : route.page === "room" && ending !== "noPlace" ? { room_id: route.id } : null;
    return <Over ending={ending} kept={kept} again={back && (() => begin(back))} />;
  }
  if (route.page === "room" && !visit && !mayBeIn(route.id, me)) return <Over ending="noPlace" again={null} />;
  if (visit?.state.step === "joining") {
    return (
      <main id="main" class="narrow">
        <Waiting text={t.join.joining} />
      </main>
    );
  }
  const error = visit?.state.step === "refused" ? visit.state.error : null;
  if (route.page === "room") {
    return error && <Refused error={error} again={() => begin({ room_id: route.id })} />;
  }
  return <Name code={route.code} me={me} error={error} onSignIn={onSignIn} onJoin={() => begin({ code: route.code })} />;
}

/** From some browsers the server takes a guest's cookie over the socket alone, so that who has a seat may seem to be nobody. */
const mayBeIn = (room: string, me: Me | null) => me !== null || Boolean(keptPlace(room)?.place);

function Name(props: { code: string; me: Me | null; error: LecternError | null; onSignIn(): Promise<void>; onJoin(): void }) {
  const { t } = useWords();
  const guest = !props.me || props.me.user.startsWith("guest:");
  const [name, setName] = useState(props.me?.name ?? lastName());
  const [busy, setBusy] = useState(false);
  const [missing, setMissing] = useState(false);
  const [trouble, setTrouble] = useState<LecternError | null>(null);
  const error = trouble ?? props.error;
  const wait = useWaitAfter(error);

  if (!props.me && !guestsAllowed()) {
    return (
      <main id="main" class="narrow">
        <Notice advice={t.join.noGuests} id="no-guests" />
      </main>
    );
  }

  const join = async () => {
    if (guest && !name.trim()) return setMissing(true);
    setBusy(true);
    setTrouble(null);
    try {
      if (guest && props.me?.name !== name.trim()) {
        await api().guest(name.trim());
        keepName(name.trim());
        await props.onSignIn();
      }
      props.onJoin();
    } catch (refusal) {
      setTrouble(refusal as LecternError);
    } finally {
      setBusy(false);
    }
  };
  return (
    <main id="main" class="narrow">
      <p class="eyebrow">{t.join.code}</p>
      <h1 class="code-shown" id="code" tabIndex={-1}>
        {showCode(props.code)}
      </h1>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void join();
        }}
      >
        {guest ? (
          <>
            <label for="name-input">{t.join.name}</label>
            <input
              id="name-input"
              value={name}
              maxLength={80}
              autocomplete="name"
              enterkeyhint="go"
              autofocus
              aria-describedby="name-hint"
              aria-invalid={missing}
              onInput={(event) => {
                setName(event.currentTarget.value);
                setMissing(false);
              }}
            />
            <p class="hint" id="name-hint" role={missing ? "alert" : undefined}>
              {missing ? t.join.noName : t.join.nameHint}
            </p>
          </>
        ) : (
          <p class="lead">{t.join.asYou(isolated(props.me!.name))}</p>
        )}
        <Trouble error={error} />
        <button type="submit" class="primary wide" id="join-button" disabled={busy || wait > 0}>
          {wait > 0 ? t.join.retryIn(wait) : busy ? t.join.joining : t.join.join}
        </button>
      </form>
      <p class="aside">
        <Link href="/" id="other-code">
          {t.join.otherCode}
        </Link>
      </p>
    </main>
  );
}

/** Seconds until a refusal's moment to try again. */
function useWaitAfter(error: LecternError | null): number {
  const [at, setAt] = useState<number | null>(null);
  useEffect(() => {
    const after = error?.body.retry_after_ms;
    setAt(after ? Date.now() + after : null);
  }, [error]);
  return useCountdown(at);
}

function Refused({ error, again }: { error: LecternError; again(): void }) {
  const { t } = useWords();
  const wait = useWaitAfter(error);
  return (
    <main id="main" class="narrow">
      <Trouble error={error} />
      <div class="actions">
        <button class="primary" id="rejoin" onClick={again} disabled={wait > 0}>
          {wait > 0 ? t.join.retryIn(wait) : t.tryAgain}
        </button>
        <Link href="/" class="button quiet">
          {t.home}
        </Link>
      </div>
    </main>
  );
}

const final = new Set<Ending>(["banned", "closed", "closedLine", "forbidden"]);

function Over({ ending, kept, again }: { ending: Ending; kept?: boolean; again: (() => void) | null }) {
  const { t } = useWords();
  const { title, next } = t.over[ending];
  const signIn = ending === "passport";
  const retry = () => {
    if (signIn) forgetPassport();
    again?.();
  };
  return (
    <main id="main" class="narrow" data-ending={ending}>
      <Notice advice={{ title, next: kept ? `${t.connection.held} ${next}` : next }} id="over">
        {again && !final.has(ending) && !(signIn && !guestsAllowed()) && (
          <button class="primary" id="rejoin" onClick={signIn ? () => location.assign("/") : retry}>
            {t.over.rejoin}
          </button>
        )}
        <Link href="/" class="button quiet" id="other-code">
          {t.home}
        </Link>
      </Notice>
    </main>
  );
}

function Teaching({ onSignIn }: { onSignIn(): Promise<void> }) {
  const { t } = useWords();
  const asStudent = () => {
    forgetPassport();
    void onSignIn();
  };
  return (
    <main id="main" class="narrow">
      <Notice advice={t.join.teaching} id="teaching">
        <Link href="/teach" class="button primary">
          {t.join.toRooms}
        </Link>
        {passport() && guestsAllowed() && (
          <button class="quiet" id="as-student" onClick={asStudent}>
            {t.join.asStudent}
          </button>
        )}
      </Notice>
    </main>
  );
}
