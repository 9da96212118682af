import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { LecternError, Me } from "../client";
import { Home } from "./home";
import { Coming, Link, Mark, Notice } from "./parts";
import { routeOf } from "./route";
import type { Route, TeachRoute } from "./route";
import { askWho, forgetPassport, passport, renewPage, takePassport } from "./session";
import { go, keepLanguage, preferredLanguage, speak, useLoaded, useWords, WordsContext } from "./state";
import type { Words } from "./state";
import { Student } from "./student";

type Session = { state: "asking" } | { state: "expired" } | { state: "away" } | { state: "known"; me: Me | null };

const loadRooms = () => import("./rooms");
const loadDesk = () => import("./desk");
const loadRecord = () => import("./record");
/** On average: pages that lost a server together do not come back to it together. */
const askAgainAfter = 3_000;

function useRoute(): Route {
  const [path, setPath] = useState(location.pathname);
  useEffect(() => {
    const follow = () => {
      if (takePassport()) location.reload();
      else setPath(location.pathname);
    };
    addEventListener("popstate", follow);
    return () => removeEventListener("popstate", follow);
  }, []);
  return routeOf(path);
}

/** Who is signed in. The server is asked until it answers. */
function useSession(): [Session, () => Promise<void>] {
  const [session, setSession] = useState<Session>({ state: "asking" });
  const ask = async () => {
    try {
      setSession({ state: "known", me: await askWho() });
    } catch (error) {
      const { code, body } = error as LecternError;
      if (code !== "unauthorized") {
        setSession({ state: "away" });
        setTimeout(() => void ask(), (body.retry_after_ms ?? 0) + askAgainAfter * (0.5 + Math.random()));
      } else {
        setSession(passport() ? { state: "expired" } : { state: "known", me: null });
        forgetPassport();
      }
    }
  };
  useEffect(() => void ask(), []);
  return [session, ask];
}

function App({ begin }: { begin: Words }) {
  const [words, setWords] = useState(begin);
  const { language } = words;
  const route = useRoute();
  const [session, ask] = useSession();
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const change = () => {
    const other = language === "en" ? "ko" : "en";
    keepLanguage(other);
    speak(other).then(setWords, () => renewPage());
  };
  return (
    <WordsContext.Provider value={words}>
      <Frame teaching={session.state === "known" && session.me?.role === "instructor"} onLanguage={change}>
        <Page route={route} session={session} ask={ask} />
      </Frame>
    </WordsContext.Provider>
  );
}

function Frame(props: { teaching: boolean; onLanguage(): void; children: preact.ComponentChildren }) {
  const { t } = useWords();
  return (
    <>
      <a class="skip" href="#main">
        {t.skip}
      </a>
      <header class="top">
        <Link href={props.teaching ? "/teach" : "/"} class="brand">
          <Mark /> {t.product}
        </Link>
        <button class="plain" id="language" title={t.languageHint} onClick={props.onLanguage}>
          {t.language}
        </button>
      </header>
      {props.children}
    </>
  );
}

function Page({ route, session, ask }: { route: Route; session: Session; ask(): Promise<void> }) {
  const { t } = useWords();
  useFocusOnHeading(route);
  const me = session.state === "known" ? session.me : null;
  const homeward = route.page === "home" && me?.role === "instructor";
  useEffect(() => {
    if (homeward) go("/teach", true);
  }, [homeward]);

  if (route.page === "lost") {
    return (
      <Alone>
        <Notice advice={t.lost} id="lost">
          <Link href="/" class="button primary">
            {t.home}
          </Link>
        </Notice>
      </Alone>
    );
  }
  if (session.state === "asking" || homeward) {
    return <Loading />;
  }
  if (session.state === "away") {
    return (
      <Alone>
        <Notice advice={t.noServer} id="no-server" />
      </Alone>
    );
  }
  if (session.state === "expired") {
    return (
      <Alone>
        <Notice advice={t.expired} id="expired">
          <button class="quiet" id="go-on" onClick={() => void ask().then(() => go("/"))}>
            {t.home}
          </button>
        </Notice>
      </Alone>
    );
  }
  if (route.page === "home") return <Home me={me} />;
  if (route.page === "rooms" || route.page === "desk" || route.page === "record") return <Teach me={me} route={route} />;
  return <Student route={route} me={me} onSignIn={ask} />;
}

function Alone({ children }: { children: preact.ComponentChildren }) {
  return (
    <main id="main" class="narrow">
      {children}
    </main>
  );
}

function Teach({ me, route }: { me: Me | null; route: TeachRoute }) {
  const { t } = useWords();
  if (me?.role !== "instructor") {
    const advice = me ? t.rooms.student : { title: t.rooms.signInTitle, next: t.rooms.signInNext };
    return (
      <Alone>
        <Notice advice={advice} id="not-instructor">
          <Link href="/" class="button quiet">
            {t.home}
          </Link>
        </Notice>
      </Alone>
    );
  }
  if (route.page === "rooms") return <RoomsPage />;
  return route.page === "desk" ? <DeskPage key={route.id} id={route.id} /> : <RecordPage key={route.id} id={route.id} />;
}

function RoomsPage() {
  const page = useLoaded(loadRooms);
  return page ? <page.Rooms /> : <Loading failed={page === false} />;
}

function DeskPage({ id }: { id: string }) {
  const page = useLoaded(loadDesk);
  return page ? <page.Desk id={id} /> : <Loading failed={page === false} />;
}

function RecordPage({ id }: { id: string }) {
  const page = useLoaded(loadRecord);
  return page ? <page.Record id={id} /> : <Loading failed={page === false} />;
}

function Loading({ failed }: { failed?: boolean }) {
  return (
    <Alone>
      <Coming failed={failed} />
    </Alone>
  );
}

/** A new page begins at its heading, as a loaded one would; some have none until they know their room. */
function useFocusOnHeading(route: Route): void {
  const first = useRef(true);
  useEffect(() => {
    const watch = new MutationObserver(() => focus());
    const focus = () => {
      const heading = document.querySelector<HTMLElement>("main h1");
      heading?.focus();
      if (heading) watch.disconnect();
    };
    if (!first.current) {
      watch.observe(document.body, { childList: true, subtree: true });
      focus();
    }
    first.current = false;
    return () => watch.disconnect();
  }, [route.page]);
}

/** There are no words to say this with. */
const noWords = "The server does not answer. Reload this page. · 서버가 응답하지 않습니다. 페이지를 새로 고쳐 주세요.";

takePassport();
const app = document.getElementById("app")!;
speak(preferredLanguage()).then(
  (words) => render(<App begin={words} />, app),
  async () => {
    if (!(await renewPage())) app.textContent = noWords;
  },
);
