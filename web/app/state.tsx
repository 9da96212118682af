import { createContext } from "preact";
import { useContext, useEffect, useReducer, useRef, useState } from "preact/hooks";
import { renewPage } from "./session";
import { loadText } from "./text";
import type { Language, Text } from "./text";

const languageKey = "lectern.language";

export function preferredLanguage(): Language {
  const kept = localStorage.getItem(languageKey);
  if (kept === "en" || kept === "ko") return kept;
  return navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en";
}

export const keepLanguage = (language: Language) => localStorage.setItem(languageKey, language);

/** A language's words, numbers and times. */
export interface Words {
  language: Language;
  t: Text;
  number(n: number): string;
  time(at: string | number): string;
  seconds(at: string): string;
  /** Its day and its time, and those of the end as far as they differ. */
  stretch(from: string | number, to: string | null): string;
  /** The time, and the day unless it is today. */
  moment(at: string | number): string;
  /** The same, as part of a sentence. */
  when(at: string | number): string;
}

export const WordsContext = createContext<Words | null>(null);

export const useWords = () => useContext(WordsContext)!;

/** Makes something when it is first asked for: a formatter costs a thousand times what it takes to use it. */
export function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

export async function speak(language: Language): Promise<Words> {
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  const formatter = (options: Intl.DateTimeFormatOptions) => once(() => new Intl.DateTimeFormat(language, options));
  const number = once(() => new Intl.NumberFormat(language));
  const time = formatter(clock);
  const seconds = formatter({ ...clock, second: "2-digit" });
  const moment = formatter({ ...clock, weekday: "short", month: "short", day: "numeric" });
  const day = formatter({ year: "numeric", month: "short", day: "numeric" });
  const date = formatter({ weekday: "short", month: "short", day: "numeric" });
  const sameDay = (a: string | number, b: string | number) => new Date(a).toDateString() === new Date(b).toDateString();
  const today = (at: string | number) => sameDay(at, Date.now());
  const t = await loadText(language);
  return {
    language,
    t,
    number: (n) => number().format(n),
    time: (at) => time().format(new Date(at)),
    seconds: (at) => seconds().format(new Date(at)),
    stretch: (from, to) => {
      const of = (at: string | number) => `${day().format(new Date(at))}, ${time().format(new Date(at))}`;
      if (to === null) return of(from);
      return sameDay(from, to) ? `${of(from)}–${time().format(new Date(to))}` : `${of(from)} – ${of(to)}`;
    },
    moment: (at) => (today(at) ? time : moment)().format(new Date(at)),
    when: (at) => t.schedule.atTime(time().format(new Date(at)), today(at) ? null : date().format(new Date(at))),
  };
}

/** Renders again whenever the thing says that it changed. */
export function useChanges(subscribe: ((fn: () => void) => () => void) | undefined): void {
  const [, again] = useReducer((n: number, _: void) => n + 1, 0);
  useEffect(() => {
    const end = subscribe?.(() => again());
    again(); // what changed between drawing and subscribing
    return end;
  }, [subscribe]);
}

/** A module that only some pages need; null until it is there, false where it did not come. */
export function useLoaded<T extends object>(load: () => Promise<T>): T | null | false {
  const [loaded, setLoaded] = useState<T | null | false>(null);
  useEffect(() => {
    let wanted = true;
    load().then(setLoaded, async () => (await renewPage(() => wanted)) || setLoaded(false));
    return () => void (wanted = false);
  }, [load]);
  return loaded;
}

/** Whole seconds until a moment, counting down. */
export function useCountdown(at: number | null): number {
  const left = () => (at === null ? 0 : Math.max(0, Math.ceil((at - Date.now()) / 1000)));
  const [seconds, setSeconds] = useState(left);
  useEffect(() => {
    setSeconds(left());
    if (at === null) return;
    const timer = setInterval(() => setSeconds(left()), 250);
    return () => clearInterval(timer);
  }, [at]);
  return seconds;
}

/** Between two things that are read out about the same. */
const calm = 10_000;

/**
 * What a screen reader is told of something that keeps changing: a change of
 * subject at once, the rest now and then.
 */
export function useSpoken(text: string, subject: string): string {
  const [spoken, setSpoken] = useState({ text: "", subject: "" }); // only what comes into a place that is there already is read out
  const latest = useRef(text);
  latest.current = text;
  useEffect(() => {
    if (spoken.subject !== subject) return setSpoken({ text, subject });
    const timer = setTimeout(() => setSpoken({ text: latest.current, subject }), calm);
    return () => clearTimeout(timer);
  }, [spoken.text === text, subject]);
  return spoken.text;
}

/** Null leaves the title to what is inside. */
export function useTitle(title: string | null): void {
  useEffect(() => {
    if (title !== null) document.title = title + " · Lectern";
  }, [title]);
}

/** Goes to another page of the app without loading it. */
export function go(path: string, replace = false): void {
  if (replace) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  dispatchEvent(new PopStateEvent("popstate"));
}
