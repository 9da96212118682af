import { useMemo } from "preact/hooks";
import { once, useWords } from "./state";

const minute = 60;
const day = 24 * 60 * minute;

/** A stretch of time, in milliseconds since 1970. */
export interface Range {
  from: number;
  to: number;
}

/** Ways to say when something was, within a stretch of time that may pass midnight. */
export interface Moments {
  second(at: string | number): string;
  exact(at: string | number): string;
  /** Of an axis on which the marks are `step` seconds apart. */
  tick(at: number, step: number): string;
}

/** A formatter is dear to make: rows of a table share their table's. */
export function useMoments({ from, to }: Range): Moments {
  const { language } = useWords();
  const [first, last] = [dayOf(from), dayOf(to)];
  return useMemo(() => momentsIn(language, first === last ? first : null), [language, first, last]);
}

const dayOf = (at: string | number) => new Date(at).toDateString();

/** Moments of one day are told by the clock alone, all others with their date. */
function momentsIn(language: string, oneDay: string | null): Moments {
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  const date = { month: "short", day: "numeric" } as const;
  const formatter = (options: Intl.DateTimeFormatOptions) => once(() => new Intl.DateTimeFormat(language, options));
  const format = (options: Intl.DateTimeFormatOptions) => {
    const [short, long] = [formatter(options), formatter({ ...date, ...options })];
    return (at: string | number) => (dayOf(at) === oneDay ? short : long)().format(new Date(at));
  };
  const [coarse, fine, ofDay] = [formatter(clock), formatter({ ...clock, second: "2-digit" }), formatter(date)];
  const midnight = (at: number) => new Date(at).getHours() + new Date(at).getMinutes() === 0;
  return {
    second: format({ ...clock, second: "2-digit" }),
    exact: format({ ...clock, second: "2-digit", fractionalSecondDigits: 3 }),
    tick: (at, step) => (step < minute ? fine : !oneDay && midnight(at) ? ofDay : coarse)().format(at),
  };
}

/** A duration as h:mm:ss. */
export function hms(seconds: number): string {
  const two = (n: number) => String(Math.floor(n)).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two((seconds % 3600) / 60)}:${two(seconds % 60)}`;
}

/** Where a moment lies within a stretch of time, in percent. */
export function share(at: number, { from, to }: Range): number {
  return (100 * (Math.min(Math.max(at, from), to) - from)) / Math.max(1, to - from);
}

/** The distances in seconds between marks that a clock's reader counts in. */
const steps = [1, 2, 5, 10, 15, 30, ...[1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720].map((minutes) => minutes * minute), day];

/** At most so many marks for an axis, at round times of a clock that is `offset` minutes behind UTC. */
export function ticks({ from, to }: Range, most: number, offset: number): { step: number; at: number[] } {
  const span = (to - from) / 1000;
  const step = steps.find((seconds) => span / seconds <= most) ?? day * Math.ceil(span / day / most);
  const behind = offset * minute * 1000;
  const at: number[] = [];
  for (let mark = Math.ceil((from - behind) / (step * 1000)) * step * 1000 + behind; mark <= to; mark += step * 1000) at.push(mark);
  return { step, at };
}
